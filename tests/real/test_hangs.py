"""A server whose cable is taken away, and given back: the watcher finds it, and names the node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.conftest import SERVE, Operator
from tests.real.watched import Watcher, watching
from tests.testbed.testbed import Testbed

pytestmark = pytest.mark.usefixtures("image")


@pytest.fixture(autouse=True)
def _tidy(bed: Testbed, operator: Operator) -> Iterator[None]:
    """Both nodes on, whole and empty before and after."""
    bed.sweep()
    yield
    bed.sweep()


@pytest.fixture
def watcher(operator: Operator) -> Iterator[Watcher]:
    with watching(operator) as watcher:
        yield watcher


def served(operator: Operator, watcher: Watcher, launch: str) -> None:
    done = operator.script(f"{launch}\n{SERVE}")
    assert done.returncode == 0, done.stderr[-2000:]
    watcher.server("ready", timeout=60)


def test_a_cut_fabric_without_ray_and_its_mending(bed: Testbed, operator: Operator, watcher: Watcher) -> None:
    served(operator, watcher, "launch --backend none")
    bed.cut(2, "fab")
    assert "link down: rocep1s0f1" in watcher.event("spark2", "link down")
    told = watcher.server("wedged", "spark2", timeout=120)
    assert "spark2: its fast link is down: rocep1s0f1" in told
    assert "a token that was asked for did not come within 20 s" in told
    health = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8888/health', timeout=5).status)"
    assert bed.exec(1, "docker", "exec", "vllm_node", "python3", "-c", health).strip() == "200"
    one = operator.ask("serve", "status")
    assert (one["state"], one["node"]) == ("wedged", "spark2")
    bed.heal(2, "fab")
    watcher.server("ready", timeout=120)
