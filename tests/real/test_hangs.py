"""Servers whose workers, engines and cables are taken away: each is found by the watcher, and named."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.real.conftest import SERVE, Operator
from tests.real.watched import NOTICED_S, Watcher, watching
from tests.testbed import groups
from tests.testbed.testbed import Testbed, until

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


def run_out_of_memory(bed: Testbed, index: int) -> None:
    """The node may use hardly more than it does, and something wants more: the kernel kills the largest."""
    bed.limit_memory(index, (groups.held(bed.places, index) >> 20) + 96)
    grows = "b = []\nfor _ in range(80): b.append(bytearray(8 << 20))"
    bed.exec(index, "docker", "exec", "vllm_node", "python3", "-c", grows, check=False)
    bed.limit_memory(index, None)


def test_a_cut_fabric_without_ray_and_its_mending(bed: Testbed, operator: Operator, watcher: Watcher) -> None:
    served(operator, watcher, "launch --backend none")
    bed.cut(2, "fab")
    assert "link down: rocep1s0f1" in watcher.event("spark2", "link down")
    told = watcher.server("stuck", "spark2", timeout=120)
    assert "spark2: its fast link is down: rocep1s0f1" in told
    assert "a token that was asked for did not come within 20 s" in told
    health = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8888/health', timeout=5).status)"
    assert bed.exec(1, "docker", "exec", "vllm_node", "python3", "-c", health).strip() == "200"
    one = operator.ask("serve", "status")
    assert (one["state"], one["node"]) == ("wedged", "spark2")
    bed.heal(2, "fab")
    watcher.server("ready", timeout=120)


def test_a_rank_that_the_kernel_kills_for_want_of_memory(
    bed: Testbed, operator: Operator, watcher: Watcher
) -> None:
    served(operator, watcher, "launch --backend none")
    run_out_of_memory(bed, 2)
    assert "want of memory" in watcher.server("failed", "spark2", timeout=120)


def test_a_worker_whose_container_is_killed(bed: Testbed, operator: Operator, watcher: Watcher) -> None:
    served(operator, watcher, "launch")
    began = time.monotonic()
    bed.exec(2, "docker", "kill", "vllm_node")
    watcher.event("spark2", "container vllm_node ended with 137")
    assert time.monotonic() - began < NOTICED_S
    assert "its container vllm_node ended with 137" in watcher.server("failed", "spark2", timeout=60)


def test_an_engine_that_is_killed_and_one_that_its_guard_ends(
    bed: Testbed, operator: Operator, watcher: Watcher
) -> None:
    served(operator, watcher, "launch --solo")
    bed.exec(1, "pkill", "-9", "-f", "^VLLM::EngineCore")
    assert "engine" in watcher.server("failed", "spark1", timeout=60).lower()
    assert operator.run("--yes", "serve", "stop").returncode == 0
    done = operator.run("--yes", *SERVE.split(), "--guard", "--guard-at", "1000", timeout=120)
    assert done.returncode == 1
    assert "the line is 1048576000 kB: the server is ended before the machine freezes" in done.stderr
    assert "spark1" in done.stderr
    assert bed.processes(1, "[v]llm serve") == []
    dropped = operator.ask("--yes", "node", "drop-caches")
    assert {n["way"] for n in dropped["nodes"].values()} == {"container"}
    assert all(n["ok"] for n in dropped["nodes"].values())
    assert operator.run("--yes", "stop").returncode == 0
    assert bed.containers(1) == []
    # The watcher looks for servers all the while, and its look has their name in its words.
    until(lambda: bed.processes(1, "raylet|gcs_server|[v]llm|VLLM::") == [], "nothing of it runs")
