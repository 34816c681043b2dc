"""A server that is up and gives no token is found, the node to suspect is named; deaths are told at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.store import Reachability, ServerPhase
from sparkconsole.fleet.watch import hang as watch_hang
from sparkconsole.model.launch.spec import Backend, LaunchSpec
from tests.fleet.watched_sparks import Spark, Watched, watched

WORDS = ("m", "--served-model-name", "tiny", "--port", "8888", "-tp", "2")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_hang, "LATE_S", 0.5)  # a real second's wait, unlike the watch's clock


@asynccontextmanager
async def served(
    folder: Path, backend: Backend = Backend.RAY, words: tuple[str, ...] = WORDS
) -> AsyncIterator[tuple[Watched, Spark, Spark]]:
    """Two nodes serve, and have given tokens."""
    async with watched(folder, "spark1", "spark2", engines=True) as seen:
        head, worker = seen.sparks.values()
        for spark in seen.sparks.values():
            spark.launch(LaunchSpec(backend=backend))
        head.serve(*words)
        if backend is Backend.NONE:
            worker.serve(*WORDS, "--node-rank", "1", "--headless", job="serve-m-2")
        else:
            head.members = tuple((s.address, "ALIVE") for s in seen.sparks.values())
        head.answers, head.tokens = True, 100
        await seen.up()
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        head.tokens = 200
        await seen.until(lambda: seen.store.server.generated_per_s)
        if backend is Backend.RAY:
            await seen.until(lambda: seen.store.nodes["spark2"].ray_alive)
        try:
            yield seen, head, worker
        finally:
            head.stuck = False


async def wedged(seen: Watched, suspect: str) -> str:
    """The verdict, once it names that node."""
    await seen.until(
        lambda: seen.store.server.phase is ServerPhase.WEDGED and seen.store.server.suspect == suspect
    )
    assert seen.store.server.look_at
    return seen.store.server.detail


async def test_requests_without_a_token_are_doubted_and_one_is_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.running, head.stuck = 3, True
        detail = await wedged(seen, "spark1")
        assert detail.startswith("spark1: its engine gives no token")
        assert "3 requests run, no token for" in detail
        head.stuck, head.tokens = False, 300
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        assert (seen.store.server.suspect, seen.store.server.signs) == ("", ())
        assert seen.said("serve")[-1] == "tiny is ready again"


async def test_a_long_queue_that_moves_is_no_hang(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.running, head.stuck = 3, True  # one more token would wait for long
        began = seen.fleet.clock.monotonic()
        while seen.fleet.clock.monotonic() - began < 90:
            head.tokens += 5
            await seen.fleet.clock.sleep(1)
        assert seen.store.server.phase is ServerPhase.READY


async def test_a_dead_worker_is_told_before_ray_knows_with_its_cause(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, worker):
        state = worker.containers["vllm_node"]["State"]
        state |= {"Status": "exited", "ExitCode": 137, "OOMKilled": True}
        await seen.until(lambda: any("lost its rank here" in t for t in seen.said("spark2")))
        assert seen.said("spark2")[-1] == (
            "tiny lost its rank here: its container vllm_node ended with 137, out of memory,"
            " which Ray has not noticed yet"
        )
        head.members = (("192.168.177.11", "ALIVE"), ("192.168.177.12", "DEAD"))
        await seen.until(lambda: seen.store.nodes["spark2"].ray_alive is False)
        head.stuck = True
        assert (await wedged(seen, "spark2")).startswith("spark2: its container vllm_node ended with 137")
        assert sum("lost its rank" in t for t in seen.said("spark2")) == 1, "one death is told once"
        assert not any("no longer in Ray" in t for t in seen.said("spark2"))


async def test_an_idle_server_whose_worker_lost_power_is_asked_and_the_node_named(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, worker):
        head.stuck = True
        worker.refuses = [Unreachable("no answer")] * 100
        worker.cut()
        await seen.until(lambda: seen.store.nodes["spark2"].reach is Reachability.LOST)
        assert (await wedged(seen, "spark2")).startswith("spark2: the node cannot be reached: ")


async def test_a_cut_cable_is_named_without_ray_and_without_a_request(tmp_path: Path) -> None:
    async with served(tmp_path, Backend.NONE) as (seen, head, worker):
        head.stuck, worker.up, head.pings = True, False, 1
        assert (await wedged(seen, "spark2")).startswith("spark2: its fast link is down: rocep1s0f1")
        assert "fabric test" in seen.store.server.look_at


async def test_a_cut_behind_the_switch_is_found_by_the_ping(tmp_path: Path) -> None:
    async with served(tmp_path, Backend.NONE) as (seen, head, _):
        head.stuck, head.running, head.pings = True, 1, 1
        assert (await wedged(seen, "spark2")).startswith("spark2: the head does not reach it over the fast")


async def test_without_ray_a_rank_that_ended_is_named(tmp_path: Path) -> None:
    async with served(tmp_path, Backend.NONE) as (seen, head, worker):
        head.stuck, head.running, worker.serving = True, 1, []
        assert (await wedged(seen, "spark2")).startswith("spark2: its rank 1 has ended")


async def test_an_idle_server_is_asked_when_the_kernel_killed_something(tmp_path: Path) -> None:
    async with served(tmp_path, Backend.NONE) as (seen, head, worker):
        head.stuck, worker.oom = True, 1
        detail = await wedged(seen, "spark2")
        assert detail.startswith("spark2: the kernel killed a process there for want of memory")


async def test_what_the_kernel_killed_is_forgotten_once_a_token_came(tmp_path: Path) -> None:
    async with served(tmp_path, Backend.NONE) as (seen, head, worker):
        worker.oom = 1
        await seen.until(lambda: any("the kernel killed 1" in t for t in seen.said("spark2")))
        await seen.fleet.clock.sleep(30)
        assert seen.store.server.phase is ServerPhase.READY
        head.stuck = True
        await seen.fleet.clock.sleep(60)
        assert seen.store.server.phase is ServerPhase.READY, "nobody has a reason to ask again"


async def test_the_rank_that_idles_while_the_others_wait_is_named(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, worker):
        head.stuck, head.running, head.gpu, worker.gpu = True, 1, (100.0, 18.0), (0.0, 9.0)
        assert (await wedged(seen, "spark2")).startswith("spark2: its GPU does nothing while spark1 waits")
        assert any(s.startswith("spark1: GPU 100 %, 18 W") for s in seen.store.server.signs)


async def test_gpus_that_compute_are_not_doubted_for_minutes(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, worker):
        head.gpu = worker.gpu = (98.0, 70.0)
        head.rdma = worker.rdma = 1e9
        await seen.until(lambda: all(n.reading and n.reading.gpus[0].power_w and n.reading.rails["rocep1s0f1"]
                                     .rx_per_s for n in seen.store.nodes.values()))  # fmt: skip
        await seen.fleet.clock.sleep(10)
        began = seen.fleet.clock.monotonic()
        head.stuck, head.running = True, 1
        await seen.until(lambda: seen.store.server.phase is ServerPhase.WEDGED)
        assert seen.fleet.clock.monotonic() - began >= 100


async def test_what_fails_names_the_node_before_the_consequence(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, worker):
        state = worker.containers["vllm_node"]["State"]
        state |= {"Status": "exited", "ExitCode": 1}
        await seen.until(lambda: any("lost its rank" in t for t in seen.said("spark2")))
        head.log += b"ERROR: RayWorkerProc rank=[1] died unexpectedly, shutting down executor.\n"
        await seen.fleet.clock.sleep(20)
        head.answers, head.serving, head.job_status = False, [], 1
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert seen.store.server.suspect == "spark2"
        assert seen.store.server.detail.startswith("spark2: its container vllm_node ended with 1; ")


async def test_an_engine_that_died_is_a_failure_though_the_server_ended_with_zero(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.log += b"(APIServer pid=1) INFO 11-23 10:00:00 [x.py:1] Application startup complete.\n"
        head.log += b"(APIServer pid=1) ERROR Engine core proc EngineCore_DP0 died unexpectedly\n"
        await seen.fleet.clock.sleep(20)
        head.answers, head.serving, head.job_status = False, [], 0
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert seen.store.server.suspect == "spark1"
        assert "its engine died" in seen.store.server.detail


@pytest.mark.parametrize(
    "line",
    [
        "(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] ray.exceptions.ActorDiedError: The actor died",
        "(APIServer pid=1) ERROR 11-23 10:00:00 [async_llm.py:1] vllm.v1.engine.EngineDeadError: x",
        "(EngineCore pid=9) torch.AcceleratorError: CUDA error: an illegal memory access was encountered",
    ],
)
async def test_a_fatal_line_takes_ready_back_though_the_server_answers(tmp_path: Path, line: str) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.log += line.encode() + b"\n"
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert seen.store.server.detail.startswith("its engine died: ")
        assert seen.store.server.suspect == "spark1"
        assert seen.events("serve")[-1].text.startswith("tiny failed: its engine died: ")
        await seen.fleet.clock.sleep(60)
        assert seen.store.server.phase is ServerPhase.FAILED, "that it answers does not bring it back"


async def test_a_fatal_line_is_told_while_a_token_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hang, "LATE_S", 60.0)
    async with served(tmp_path) as (seen, head, _):
        head.stuck, head.running = True, 1
        await seen.until(lambda: head.asked)
        head.log += (
            b"(EngineCore pid=9) ERROR 11-23 10:00:00 [core.py:1] EngineCore encountered a fatal error\n"
        )
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)


async def test_what_a_user_asks_about_a_death_is_none(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.log += b"(APIServer pid=1) INFO 11-23 10:00:00 [x.py:1] Received request: 'EngineDeadError'\n"
        await seen.fleet.clock.sleep(30)
        assert seen.store.server.phase is ServerPhase.READY


async def test_what_stands_before_this_start_in_its_log_is_anothers(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.log += b"ray.exceptions.ActorDiedError: The actor died\n"
        head.log += b"(APIServer pid=1) INFO 11-23 10:00:00 [api.py:1] vLLM API server version 0.13.0\n"
        head.log += b"(APIServer pid=1) INFO:     Application startup complete.\n"
        await seen.fleet.clock.sleep(30)
        assert seen.store.server.phase is ServerPhase.READY


async def test_tokens_that_go_on_coming_are_stronger_than_a_line(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.log += b"ray.exceptions.ActorDiedError: The actor died\n"
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        for _ in range(600):
            head.tokens += 5
            await seen.fleet.clock.sleep(1)
            if seen.store.server.phase is ServerPhase.READY:
                break
        assert seen.said("serve")[-1] == "tiny is ready again"


@pytest.mark.parametrize("again", [False, True], ids=["ended", "started again"])
async def test_a_rank_without_its_container_takes_ready_back(tmp_path: Path, again: bool) -> None:
    async with served(tmp_path) as (seen, _, worker):
        state = worker.containers["vllm_node"]["State"]
        state |= {"StartedAt": "2 seconds later"} if again else {"Status": "exited", "ExitCode": 1}
        await seen.until(lambda: seen.store.server.phase is ServerPhase.WEDGED)
        assert seen.store.server.suspect == "spark2"
        told = "was started again" if again else "ended with 1"
        assert seen.store.server.detail.startswith(f"spark2: its container vllm_node {told}; ")


async def test_a_container_that_is_no_part_of_the_server_may_be_started_again(tmp_path: Path) -> None:
    async with served(tmp_path, words=("m", "--served-model-name", "tiny", "--port", "8888")) as (seen, _, w):
        w.containers["vllm_node"]["State"] |= {"StartedAt": "2 seconds later"}
        await seen.until(lambda: any("was started again" in t for t in seen.said("spark2")))
        await seen.fleet.clock.sleep(30)
        assert seen.store.server.phase is ServerPhase.READY


async def test_without_ray_a_rank_whose_job_ended_takes_ready_back(tmp_path: Path) -> None:
    async with served(tmp_path, Backend.NONE) as (seen, _, worker):
        worker.job_status = 137
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert seen.store.server.detail == "its rank 1 on spark2 ended with status 137"


async def test_while_a_token_does_not_come_a_server_in_doubt_is_not_called_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hang, "LATE_S", 60.0)
    monkeypatch.setattr(watch_hang, "SOON_S", 0.05)
    async with served(tmp_path) as (seen, head, worker):
        head.stuck, worker.oom = True, 1
        await seen.until(lambda: seen.store.server.phase is ServerPhase.UNKNOWN)
        assert seen.store.server.suspect == "spark2"
        assert "the kernel killed a process there for want of memory" in seen.store.server.detail
        head.stuck = False
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)


async def test_a_server_that_ended_in_peace_has_not_failed(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.answers, head.serving, head.job_status = False, [], 0
        await seen.until(lambda: seen.store.server.phase is ServerPhase.NONE)


async def test_a_head_whose_container_was_killed_has_failed_and_a_removed_one_has_not(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, _):
        head.answers = False
        head.containers["vllm_node"]["State"] |= {"Status": "exited", "ExitCode": 137}
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert seen.store.server.suspect == "spark1"
        head.launch()
        await seen.until(lambda: seen.store.server.phase is not ServerPhase.FAILED)
        head.answers = True
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        head.answers = False
        del head.containers["vllm_node"]
        await seen.until(lambda: seen.store.server.phase is ServerPhase.NONE)


async def test_a_server_that_its_guard_ended_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as (seen, head, worker):
        why = "sparkconsole guard: MemAvailable is 3 kB, the line is 4 kB: the server is ended"
        worker.guard_said = why
        head.answers, head.serving, head.job_status = False, [], 143
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert (seen.store.server.suspect, seen.store.server.detail) == ("spark2", f"spark2: {why}")
        assert seen.events("serve")[-1].level == "error"
