"""What an image that was built here gives away, and as whom its programs run."""

from __future__ import annotations

import pytest

from sparkconsole.model.text.redact import redact
from tests.real.conftest import Operator
from tests.real.package_index import BASE
from tests.testbed.testbed import Testbed

pytestmark = pytest.mark.usefixtures("image")

SAYS = """
import os, ray
from vllm import LLM, SamplingParams
assert os.getuid() == 1000
ray.init(num_cpus=1, include_dashboard=False)
model = LLM("/opt/sparkconsole/tiny-llama", max_model_len=256, enforce_eager=True)
print("said", len(model.generate("x", SamplingParams(max_tokens=4, ignore_eos=True))[0].outputs[0].token_ids))
"""


def test_its_history_holds_no_secret(bed: Testbed) -> None:
    lines = bed.exec(
        1, "docker", "history", "--no-trunc", "--format", "{{.CreatedBy}}", "vllm-node"
    ).splitlines()
    assert len(lines) > 10
    assert [line for line in lines if redact(line) != line] == []


def test_its_labels_say_what_it_was_built_from(bed: Testbed, operator: Operator) -> None:
    """The base came by `docker import`, so there is no registry that could say a digest."""
    form = '{{index .Config.Labels "org.sparkconsole.base"}}'
    said = bed.exec(1, "docker", "image", "inspect", "--format", form, "vllm-node").strip()
    known = bed.exec(1, "docker", "image", "inspect", "--format", "{{.Id}}", BASE).strip()
    assert said == f"{BASE}, image {known} before the build"


def test_any_user_can_run_it_by_hand(bed: Testbed) -> None:
    run = ("docker", "run", "--rm", "--network", "none", "--user", "1000:1000", "-e", "HOME=/tmp")
    imported = bed.exec(1, *run, "vllm-node", "python", "-c", "import vllm", timeout=300)
    assert "Error" not in imported
    assert "said 4" in bed.exec(1, *run, "--shm-size", "1g", "vllm-node", "python", "-c", SAYS, timeout=600)
