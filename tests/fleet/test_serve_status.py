"""How a served model stands is looked at, never remembered; a silent node is never called a stopped one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.fleet.serve.start import find_stage
from sparkconsole.fleet.serve.status import ServerCondition, serve_status
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.remote.serve import vllm
from sparkconsole.remote.shell import Shell
from tests.pretend_nodes import PretendCluster

RAY = {"org.sparkconsole.launch": "{}"}
SOLO = {"org.sparkconsole.launch": '{"backend":"solo"}'}
JOB = Job(
    id="serve-m-1", node="a", kind=JobKind.SERVE, argv=("vllm", "serve", "m"), container="vllm_node",
    details={"port": 8888, "rank": 0},
)  # fmt: skip


def pair(**labels: str) -> PretendCluster:
    pretend = PretendCluster("a", "b")
    for node in pretend.nodes.values():
        node.start(**(labels or RAY))
    return pretend


def says(pretend: PretendCluster, state: str, log: str = "") -> None:
    """What node a tells of the job."""
    pretend.nodes["a"].extra = {"job-state": (0, state, ""), "job-read": (0, log, "")}


@pytest.mark.parametrize("lost", ["a", "b"])
async def test_a_node_that_cannot_be_asked_leaves_it_unknown_and_is_named(lost: str) -> None:
    pretend = pair()
    pretend.nodes[lost].lost = True
    async with pretend.fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, (JOB,))
    assert (found.state, found.node, found.exit_code) == (ServerCondition.UNKNOWN, lost, 3)
    assert found.nodes[lost] == "unreachable: no route to it"


async def test_a_worker_without_its_container_means_lost() -> None:
    pretend = pair()
    pretend.nodes["b"].containers.clear()
    async with pretend.fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, (JOB,))
    assert (found.state, found.node, found.exit_code) == (ServerCondition.LOST, "b", 1)
    assert "launch --repair" in found.remedy


async def test_alone_the_other_node_does_not_matter() -> None:
    pretend = pair(**SOLO)
    pretend.nodes["b"].lost = True
    async with pretend.fleet() as fleet:
        assert (await find_stage(fleet, "vllm_node")).nodes == ("a",)
        found = await serve_status(fleet, "vllm_node", 8888, ())
    assert found.state is ServerCondition.ABSENT


async def test_without_containers_there_is_none() -> None:
    async with PretendCluster("a", "b").fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, ())
    assert (found.state, found.exit_code) == (ServerCondition.ABSENT, 1)


async def test_a_start_under_way_is_loading_and_says_how_far() -> None:
    pretend = pair()
    says(
        pretend, "running - 90", "Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:01<00:01]\n"
    )
    async with pretend.fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, (JOB,))
    assert (found.state, found.detail) == (ServerCondition.LOADING, "weights 50 % 1/2")


async def test_a_start_that_ended_failed_with_its_cause() -> None:
    pretend = pair()
    says(
        pretend, "ended 1 90", "INFO fine\nOSError: [Errno 98] Address already in use\nRuntimeError: later\n"
    )
    async with pretend.fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, (JOB,))
    assert (found.state, found.node) == (ServerCondition.FAILED, "a")
    assert "line 2 of its log" in found.detail
    assert "--port" in found.remedy


async def test_a_job_that_was_forgotten_is_no_failure() -> None:
    pretend = pair()
    says(pretend, "unknown")
    async with pretend.fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, (JOB,))
    assert (found.state, found.detail) == (ServerCondition.ABSENT, "no server answers")


@pytest.mark.parametrize(
    ("error", "said"), [(TimedOut("too late"), "no token came"), (SparkError("500"), "500")]
)
async def test_health_without_a_token_is_wedged(
    monkeypatch: pytest.MonkeyPatch, error: SparkError, said: str
) -> None:
    async def healthy(shell: Shell, port: int) -> bool:
        return True

    async def complete(shell: Shell, port: int, *, timeout: float) -> str:
        raise error

    monkeypatch.setattr(vllm, "healthy", healthy)
    monkeypatch.setattr(vllm, "complete_one_token", complete)
    async with pair().fleet() as fleet:
        found = await serve_status(fleet, "vllm_node", 8888, (JOB,))
    assert (found.state, found.exit_code) == (ServerCondition.WEDGED, 1)
    assert said in found.detail


# --- where a model can be served


async def test_the_stage_is_the_whole_cluster_head_first() -> None:
    async with pair().fleet() as fleet:
        stage = await find_stage(fleet, "vllm_node")
    assert (stage.nodes, stage.head) == (("a", "b"), "a")


def _gone(pretend: PretendCluster) -> None:
    pretend.nodes["b"].containers.clear()


def _lost(pretend: PretendCluster) -> None:
    pretend.nodes["b"].lost = True


def _headless(pretend: PretendCluster) -> None:
    pretend.nodes["a"].containers.clear()


@pytest.mark.parametrize(
    ("fault", "node", "code", "cause"),
    [
        (_gone, "b", 4, "does not run"),
        (_lost, "b", 3, "no route"),
        (_headless, "a", 4, "no container vllm_node runs"),
    ],
)
async def test_a_cluster_that_is_not_whole_is_no_stage(
    fault: Callable[[PretendCluster], None], node: str, code: int, cause: str
) -> None:
    pretend = pair()
    fault(pretend)
    async with pretend.fleet() as fleet:
        with pytest.raises(SparkError, match=cause) as caught:
            await find_stage(fleet, "vllm_node")
    assert (caught.value.node, caught.value.exit_code) == (node, code)
    assert isinstance(caught.value, Unreachable) is (code == 3)
