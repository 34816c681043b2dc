"""What is told, and what is left, when a real node, image or console goes away in the middle."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import SERVE, Operator, assert_nothing_left
from tests.real.watched import NOTICED_S, watching
from tests.testbed.testbed import Testbed, until

pytestmark = pytest.mark.usefixtures("image")


@pytest.fixture(autouse=True)
def _tidy(bed: Testbed, operator: Operator) -> Iterator[None]:
    """Both nodes on and empty before and after."""
    yield
    for index in (1, 2):
        bed.boot(index)
        bed.exec(index, "sh", "-c", "docker ps -aq | xargs -r docker rm -f", check=False)
        bed.exec(index, "rm", "-rf", "/home/spark/.local", check=False)


def test_a_worker_without_the_image(bed: Testbed, operator: Operator) -> None:
    bed.exec(2, "docker", "tag", "vllm-node:latest", "kept:1")
    bed.exec(2, "docker", "rmi", "vllm-node:latest")
    try:
        done = operator.run("--yes", "launch")
        assert done.returncode == 4
        assert "the image vllm-node is not on spark2" in done.stderr
        assert "image copy" in done.stderr
        assert_nothing_left(bed)
    finally:
        bed.exec(2, "docker", "tag", "kept:1", "vllm-node:latest")
        bed.exec(2, "docker", "rmi", "kept:1")


def test_a_worker_that_loses_power_during_launch(bed: Testbed, operator: Operator) -> None:
    launch = operator.start("--yes", "launch")
    until(lambda: "vllm_node" in bed.containers(2), "the worker's container starts", 60)
    bed.kill(2)
    assert launch.wait(240) in (1, 3)
    assert bed.containers(1) == []
    last = operator.runs("launch")[0]
    assert last["state"] == "unknown", "what it left on spark2 nobody could see"
    assert "spark2" in str(operator.ask("runs", "show", last["id"])["error"])
    bed.boot(2)
    assert operator.run("--yes", "launch", timeout=300).returncode == 0, (
        "a leftover of the cut is no obstacle"
    )
    assert operator.run("--yes", "stop").returncode == 0
    assert_nothing_left(bed)


def test_a_worker_that_loses_power_while_serving(bed: Testbed, operator: Operator) -> None:
    done = operator.script(f"launch\n{SERVE}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert operator.ask("serve", "status")["state"] == "ready"
    with watching(operator) as watcher:
        watcher.server("ready")
        began = time.monotonic()
        bed.kill(2)
        told = watcher.event("spark2", "whether tiny has its rank here still is unknown")
        assert "the node cannot be reached" in told
        assert time.monotonic() - began < NOTICED_S
    done = operator.run("--json", "serve", "status", timeout=20)
    assert done.returncode == 3
    assert '"state": "unknown"' in done.stdout
    assert '"node": "spark2"' in done.stdout
    assert "stopped" not in done.stdout
    stopped = operator.run("--yes", "stop", timeout=120)
    assert stopped.returncode == 3
    assert "unreachable" in stopped.stdout
    assert bed.containers(1) == []


def test_logs_go_on_past_a_cut_link_and_a_new_start(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    """`serve`, then `logs`: the server's own lines; -f past a cut management link and a second start."""
    done = operator.script(f"launch\n{SERVE}")
    assert done.returncode == 0, done.stderr[-2000:]
    for words in (("logs",), ("logs", "serve")):
        assert "Application startup complete" in operator.run(*words).stdout, words
    assert operator.run("logs", "nccl").returncode == 0
    printed = tmp_path / "followed"

    def rows() -> list[dict[str, Any]]:
        return [json.loads(line) for line in printed.read_text().split("\n")[:-1]]

    def said(key: str, words: str) -> bool:
        return any(words in row.get(key, "") for row in rows())

    with printed.open("wb") as output:
        following = operator.start("--json", "logs", "-f", output=output)
        try:
            until(lambda: bool(_served(rows())), "the server's lines are followed", 60)
            bed.cut(1, "mgmt")
            until(lambda: said("error", "resumes when"), "what is awaited is said", 60)
            until(lambda: said("note", "still waiting"), "and again", 60)
            bed.heal(1, "mgmt")
            until(lambda: said("note", "resumed after"), "it is back", 90)
            first = {row["job"] for row in rows() if row["source"] == "serve"}
            done = operator.script(f"serve stop\n{SERVE}")
            assert done.returncode == 0, done.stderr[-2000:]
            until(
                lambda: any("startup complete" in text for text in _served(rows(), without=first)),
                "the new server's lines are followed",
                60,
            )
        finally:
            following.kill()
            following.wait()
    fresh = _served(rows(), without=first)
    assert fresh == _served(operator.ask_rows("logs", "serve"))[: len(fresh)], "every line once, in order"
    done = operator.script("serve stop\nstop")
    assert done.returncode == 0, done.stderr[-3000:]
    assert_nothing_left(bed)


def _served(rows: list[dict[str, Any]], *, without: Collection[str] = ()) -> list[str]:
    """What servers of other starts than these said."""
    return [r["text"] for r in rows if r.get("job") and r["job"] not in without and "text" in r]


SLOW = """FROM sparkconsole-base:bookworm
RUN for step in 1 2 3 4 5 6 7 8 9 10; do echo step $step; sleep 2; done
"""


def test_a_console_killed_while_building(bed: Testbed, operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(SLOW)
    words = ("image", "build", "--recipe", str(tmp_path), "--tag", "again", "--no-cache", "--least-free", "1")
    console = operator.start("--yes", *words)
    until(lambda: bool(bed.processes(1, "docker build -t")), "the build runs", 120)
    _kill(console)
    run = operator.runs("image build")[0]
    assert run["state"] == "unknown", "a console that is gone is not a run that ended"
    done = operator.run("runs", "attach", run["id"], timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "steps of again: 2 of 2" in done.stdout + done.stderr, "it went on"
    assert operator.runs("image build")[0]["state"] == "done"
    assert bed.exec(1, "docker", "images", "-q", "again:latest").strip()
    bed.exec(1, "sh", "-c", "docker images --format '{{.Repository}}:{{.Tag}}' again | xargs -r docker rmi")
    assert_nothing_left(bed)


def test_a_console_killed_while_a_model_loads(bed: Testbed, operator: Operator) -> None:
    assert operator.run("--yes", "launch", timeout=300).returncode == 0
    console = operator.start("--yes", *SERVE.split())
    until(lambda: bool(bed.processes(1, "[v]llm serve")), "the server starts", 60)
    _kill(console)
    run = operator.runs("serve")[0]
    done = operator.run("runs", "attach", run["id"], timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    assert operator.ask("serve", "status")["state"] == "ready"
    done = operator.script("serve stop\nstop")
    assert done.returncode == 0, done.stderr[-3000:]
    assert_nothing_left(bed)


def test_a_model_that_is_not_there(bed: Testbed, operator: Operator) -> None:
    assert operator.run("--yes", "launch", timeout=300).returncode == 0
    done = operator.run("--yes", "serve", "/models/none")
    assert done.returncode == 4
    assert "config.json" in done.stderr
    done = operator.run(
        "--yes", "serve", "/opt/sparkconsole/tiny-llama", "--max-model-len", "999999", timeout=300
    )
    assert done.returncode == 1
    assert "the model's own limit is shorter" in done.stderr
    assert bed.processes(1, "[v]llm serve") == []
    assert operator.run("--yes", "stop").returncode == 0
    assert_nothing_left(bed)


def test_docker_that_may_not_be_used(operator: Operator) -> None:
    done = operator.run("--user", "guest", "--yes", "launch")
    assert done.returncode != 0
    assert "docker may not be used by" in done.stderr
    assert "usermod -aG docker" in done.stderr


def test_a_changed_host_key_is_never_talked_to(bed: Testbed, operator: Operator) -> None:
    bed.rekey(2)
    try:
        done = operator.run("status")
        assert done.returncode == 3
        assert "another host key" in done.stderr + done.stdout
        refused = operator.run("--yes", "node", "trust", "spark2")
        assert refused.returncode != 0, "a changed key is not trusted by a flag"
    finally:
        bed.rekey(2, original=True)


def _kill(console: subprocess.Popen[bytes]) -> None:
    console.kill()
    console.wait(10)
