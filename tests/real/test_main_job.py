"""The main job on real nodes: one script builds, copies, launches, serves over both, measures, and stops."""

from __future__ import annotations

import json
import re

import pytest

from tests.planned import differences
from tests.real.conftest import SERVE, Operator, assert_nothing_left
from tests.testbed.testbed import Testbed

COMPLETE = """exec -- python3 -c 'import json, sys, urllib.request as u
body = json.dumps({"model": "tiny", "prompt": "the quick brown", "max_tokens": 8, "temperature": 0}).encode()
request = u.Request("http://127.0.0.1:8888/v1/completions", body, {"Content-Type": "application/json"})
print("COMPLETION", json.load(u.urlopen(request, timeout=60))["choices"][0]["finish_reason"])'"""
USE = f"""
{SERVE}
wait-for server --timeout 300
{COMPLETE}
bench run --num-prompts 24 --input-len 64 --output-len 32 --max-concurrency 4
logs --tail 3
serve stop
stop
"""


def test_one_script_from_bare_nodes_to_a_measured_model(
    bed: Testbed, operator: Operator, build_words: str
) -> None:
    text = f"check\n{build_words}\nimage copy --to all\nlaunch\nwait-for ray\n{USE}"
    images = ("docker", "images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    # An earlier test's image: where node 2 had what is built again there would be nothing left to copy.
    bed.exec(2, "sh", "-c", "docker images -q vllm-node | xargs -r docker rmi -f")
    before = bed.exec(1, *images)
    shown = operator.planned(text)
    assert bed.exec(1, *images) == before, "only planned"
    before = [len(_operator_logins(bed, i)) for i in (1, 2)]
    done = operator.script(text)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "COMPLETION length" in done.stdout
    assert "24 completed, 0 failed" in done.stdout
    assert re.search(r"^spark1 │", done.stdout, re.M), "logs of the head"
    assert re.search(r"^spark2 │", done.stdout, re.M), "logs of the worker"
    assert_nothing_left(bed)
    logins = [len(_operator_logins(bed, i)) - b for i, b in zip((1, 2), before, strict=True)]
    assert logins == [1, 1], "one login per node for the whole script"
    plans = [line for line in shown if "plan" in line]
    assert [line["words"][0] for line in plans] == [
        "image",
        "image",
        "launch",
        "serve",
        "bench",
        "serve",
        "stop",
    ]
    assert differences(shown, operator.newest_runs(len(plans))) == [], "as it was shown, its blanks filled in"
    identities = operator.ask("image", "list", "vllm-node")
    assert "same" in json.dumps(identities)


@pytest.mark.usefixtures("image")
def test_the_same_without_ray(bed: Testbed, operator: Operator) -> None:
    shown = operator.planned(f"launch --backend none\n{USE}")
    done = operator.script(f"launch --backend none\n{USE}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    plans = [line for line in shown if "plan" in line]
    assert differences(shown, operator.newest_runs(len(plans))) == [], "a rank a node, as it was shown"
    assert "COMPLETION length" in done.stdout
    assert "24 completed, 0 failed" in done.stdout
    assert_nothing_left(bed)


@pytest.mark.usefixtures("image")
def test_the_same_on_one_node(bed: Testbed, operator: Operator) -> None:
    done = operator.script(f"launch --solo\n{USE}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "COMPLETION length" in done.stdout
    assert "24 completed, 0 failed" in done.stdout
    assert_nothing_left(bed)


@pytest.mark.usefixtures("image")
def test_exec_keeps_every_byte_and_the_exit_code(bed: Testbed, operator: Operator) -> None:
    assert operator.run("--yes", "launch").returncode == 0
    try:
        words = ("a b", '{"x": "$y"}', "ü", "line\nbreak", "it's")
        code = "import sys; print(sys.argv[1:]); sys.exit(7)"
        done = operator.run("exec", "--", "python3", "-c", code, *words)
        assert done.stdout == f"{list(words)}\n"
        assert done.returncode == 7
        shown = operator.run("exec", "--", "sh", "-c", "echo $NCCL_SOCKET_IFNAME $VLLM_HOST_IP")
        assert shown.stdout.split() == ["enp1s0f1np1", "192.168.177.11"], (
            "the environment is there in every shell"
        )
        dashboard = bed.exec(1, "ss", "-ltnH", "sport = :8265")
        assert "127.0.0.1:8265" in dashboard
        assert "0.0.0.0:8265" not in dashboard, "nobody else reaches Ray's dashboard"
    finally:
        assert operator.run("--yes", "stop").returncode == 0
    assert_nothing_left(bed)


@pytest.mark.parametrize(
    "words", ["check", "status", "image list", "node list --check", "serve status", "logs"]
)
def test_one_login_per_node_for_any_verb(bed: Testbed, operator: Operator, words: str) -> None:
    before = [len(_operator_logins(bed, i)) for i in (1, 2)]
    operator.run(*words.split())
    assert [len(_operator_logins(bed, i)) - b for i, b in zip((1, 2), before, strict=True)] == [1, 1]


def _operator_logins(bed: Testbed, index: int) -> list[tuple[str, str]]:
    """A copy's receiver also sees its sender; that login is not the console's."""
    return [(user, where) for user, where in bed.logins(index) if where == "10.77.0.254"]
