"""The watch over nodes that die, come back, talk nonsense and are not trusted; every change told once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.store import Reachability, ServerPhase, Store
from sparkconsole.fleet.watch.context import CONNECTING, SILENT_S
from sparkconsole.fleet.watch.watch import Watch
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.launch.spec import Backend, LaunchSpec
from sparkconsole.remote import http
from sparkconsole.remote.shell import Shell
from tests.fleet.watched_sparks import QuickClock, Spark, Watched, watched

NCCL = (
    b"(EngineCore pid=9) (RayWorkerWrapper pid=311, ip=192.168.177.12) s:1:1 [0] NCCL INFO NET/IB : Using "
    b"[0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE\n"
    b"(EngineCore pid=9) s:1:1 [0] NCCL INFO Using network Socket\n"
)
WEIGHTS = b"(EngineCore pid=9) INFO 11-23 10:00:00 [x.py:1] Starting to load model tiny...\n"


async def test_every_node_is_up_with_a_reading_and_a_look(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", "spark2", engines=True) as seen:
        await seen.up()
        await seen.until(lambda: all(n.images is not None for n in seen.store.nodes.values()))
        for node in seen.store.nodes.values():
            assert node.reach is Reachability.UP
            assert node.reading is not None
            assert node.reading.memory is not None
            assert node.read_at_s is not None
            assert node.containers == ()
        assert [s.logins for s in seen.sparks.values()] == [1, 1]
        assert len(seen.store.histories["spark1"].series("memory")) > 0
        assert seen.said() == []


async def test_a_node_that_dies_is_lost_with_its_values_and_comes_back(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", "spark2", engines=True) as seen:
        await seen.up()
        spark = seen.sparks["spark2"]
        spark.refuses = [Unreachable("no answer", hint="is it on?")] * 3
        spark.cut()
        await seen.until(lambda: seen.store.nodes["spark2"].reason == "no answer")
        lost = seen.store.nodes["spark2"]
        assert (lost.reach, lost.hint) == (Reachability.LOST, "is it on?")
        assert lost.retry_at_s is not None
        assert lost.reading is not None
        assert seen.store.nodes["spark1"].reach is Reachability.UP
        await seen.until(lambda: seen.store.nodes["spark2"].reach is Reachability.UP)
        back = seen.store.nodes["spark2"]
        assert (back.reason, back.retry_at_s) == ("", None)
        first, second = seen.events("spark2")
        assert (first.level, first.text) == ("error", "lost: the connection was lost")
        assert second.level == "done"
        assert second.text.startswith("is back after ")
        assert seen.said("spark1") == []


async def test_a_node_that_never_answered_is_told_once_and_tried_for_ever(tmp_path: Path) -> None:
    def off(sparks: dict[str, Spark]) -> None:
        sparks["spark1"].refuses = [Unreachable("no route to host")] * 5

    async with watched(tmp_path, "spark1", engines=True, prepare=off) as seen:
        await seen.until(lambda: seen.store.nodes["spark1"].reach is Reachability.LOST)
        seen.watch.again("spark1")
        await seen.up()
        assert seen.sparks["spark1"].logins == 6
        assert seen.said() == ["not reached: no route to host", "is reached"]


async def test_an_unknown_key_waits_for_a_person(tmp_path: Path) -> None:
    def strange(sparks: dict[str, Spark]) -> None:
        sparks["spark1"].refuses = [
            UnknownHostKey("its key is not known", fingerprint="SHA256:abc", hint="trust")
        ]
        sparks["spark2"].refuses = [ChangedHostKey("its key changed")]

    async with watched(tmp_path, "spark1", "spark2", engines=True, prepare=strange) as seen:
        await seen.until(lambda: len(seen.store.lost()) == 2)
        node = seen.store.nodes["spark1"]
        assert (node.fingerprint, node.retry_at_s, node.hint) == ("SHA256:abc", None, "trust")
        await asyncio.sleep(0.1)  # ten seconds of its clock: it must not have tried
        assert [s.logins for s in seen.sparks.values()] == [1, 1]
        seen.watch.again("spark1")
        await seen.until(lambda: seen.store.nodes["spark1"].reach is Reachability.UP)
        assert seen.store.nodes["spark1"].fingerprint == ""
        assert seen.store.nodes["spark2"].reach is Reachability.LOST
        assert seen.said("spark1")[0] == "its host key is not trusted yet: SHA256:abc"


async def test_a_node_that_talks_nonsense_is_up_without_a_reading(tmp_path: Path) -> None:
    def garbled(sparks: dict[str, Spark]) -> None:
        sparks["spark1"].garbage = True

    async with watched(tmp_path, "spark1", "spark2", engines=True, prepare=garbled) as seen:
        await seen.until(lambda: seen.store.nodes["spark2"].reading and seen.said("spark1"))
        node = seen.store.nodes["spark1"]
        assert (node.reach, node.reading) == (Reachability.UP, None)
        await asyncio.sleep(0.05)
        assert len(seen.said("spark1")) == 1
        assert "not understood" in seen.said("spark1")[0]
        seen.sparks["spark1"].garbage = False
        await seen.until(lambda: seen.store.nodes["spark1"].reading)


async def test_a_node_that_falls_silent_is_told_and_stays_up(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", engines=True, silent_s=30) as seen:
        await seen.up()
        seen.sparks["spark1"].frozen = True
        await seen.until(lambda: readings_told(seen))
        await asyncio.sleep(0.5)
        assert readings_told(seen) == ["no reading for 30 s: is it out of memory?"]
        assert seen.store.nodes["spark1"].reach is Reachability.UP
        seen.sparks["spark1"].frozen = False
        await seen.until(lambda: len(readings_told(seen)) == 2)
        assert readings_told(seen)[-1] == "readings come again"


def readings_told(seen: Watched) -> list[str]:
    """Its clock is quick: a busy machine may seem to be silent in other ways too."""
    return [text for text in seen.said("spark1") if "reading" in text]


async def test_without_python_the_node_is_read_by_its_tools(tmp_path: Path) -> None:
    def bare(sparks: dict[str, Spark]) -> None:
        sparks["spark1"].python = False

    async with watched(tmp_path, "spark1", engines=True, prepare=bare) as seen:
        await seen.up()
        found = seen.store.nodes["spark1"].reading
        assert found is not None
        assert found.memory is not None
        assert seen.said("spark1") == ["python3 is not there; readings come more rarely, by its tools"]


async def test_an_engine_that_does_not_run_is_told_once(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1") as seen:
        await seen.up()
        await seen.until(seen.said)
        await asyncio.sleep(0.1)
        assert seen.said("spark1") == ["docker does not run"]
        assert seen.store.nodes["spark1"].containers is None
        assert seen.store.server.phase is ServerPhase.UNKNOWN


async def test_what_a_silent_engine_said_is_not_kept_as_known(tmp_path: Path) -> None:
    """Its socket takes the question: no error comes, and nothing else says that what was known is old."""
    assert SILENT_S == 10
    async with watched(tmp_path, "spark1", engines=True, silent_s=200) as seen:
        seen.sparks["spark1"].launch()
        await seen.until(lambda: seen.store.nodes["spark1"].containers)
        seen.sparks["spark1"].mute = ("/images/", "/containers/")
        await seen.until(lambda: seen.store.nodes["spark1"].docker_error)
        state = seen.store.nodes["spark1"]
        assert (state.containers, state.images) == (None, None)
        assert seen.said("spark1")[-1] == "docker has not answered for 200 s: what runs there is unknown"
        seen.sparks["spark1"].mute = ()
        await seen.until(lambda: seen.store.nodes["spark1"].containers)
        assert "docker answers again" in seen.said("spark1")
        assert seen.store.nodes["spark1"].docker_error == ""


async def test_a_link_that_goes_and_comes_is_told_once_for_device_and_interface(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", engines=True) as seen:
        await seen.up()
        seen.sparks["spark1"].up = False
        await seen.until(lambda: len(seen.said()) == 1)
        seen.sparks["spark1"].up = True
        await seen.until(lambda: len(seen.said()) == 2)
        assert seen.said("spark1") == ["link down: rocep1s0f1", "link up: rocep1s0f1"]


async def test_the_container_is_told_when_it_comes_and_when_it_goes(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", engines=True) as seen:
        await seen.until(lambda: seen.store.nodes["spark1"].containers == ())
        seen.sparks["spark1"].launch(LaunchSpec(backend=Backend.SOLO))
        seen.watch.refresh()
        await seen.until(lambda: seen.store.nodes["spark1"].containers)
        state = seen.sparks["spark1"].containers["vllm_node"]["State"]
        state |= {"Status": "exited", "ExitCode": 137, "OOMKilled": True}
        await seen.until(lambda: len(seen.said("spark1")) == 2)
        del seen.sparks["spark1"].containers["vllm_node"]
        await seen.until(lambda: len(seen.said("spark1")) == 3)
        assert seen.said("spark1") == [
            "container vllm_node runs",
            "container vllm_node ended with 137, out of memory",
            "container vllm_node is gone",
        ]


async def test_ray_s_members_are_known_and_a_death_is_told(tmp_path: Path) -> None:
    def launched(sparks: dict[str, Spark]) -> None:
        for spark in sparks.values():
            spark.launch()
        sparks["spark1"].members = tuple((s.address, "ALIVE") for s in sparks.values())

    async with watched(tmp_path, "spark1", "spark2", engines=True, prepare=launched) as seen:
        await seen.until(lambda: all(n.ray_alive for n in seen.store.nodes.values()))
        seen.sparks["spark1"].members = (("192.168.177.11", "ALIVE"), ("192.168.177.12", "DEAD"))
        await seen.until(lambda: seen.store.nodes["spark2"].ray_alive is False)
        assert seen.store.nodes["spark1"].ray_alive is True
        assert seen.said("spark2") == ["is no longer in Ray: it died"]


@pytest.fixture
def served(tmp_path: Path) -> Path:
    return tmp_path


async def serving(seen: Watched) -> Spark:
    """The head serves from a job."""
    for spark in seen.sparks.values():
        spark.launch()
    seen.sparks["spark1"].serve("m", "--served-model-name", "tiny", "--port", "8888", "-tp", "2")
    seen.watch.refresh()
    await seen.until(lambda: seen.store.server.phase is ServerPhase.LOADING)
    return seen.sparks["spark1"]


async def test_a_server_is_followed_from_its_start_to_its_end(served: Path) -> None:
    async with watched(served, "spark1", "spark2", engines=True) as seen:
        await seen.until(lambda: seen.store.server.phase is ServerPhase.NONE)
        head = await serving(seen)
        assert (seen.store.server.model, seen.store.server.ranks) == ("tiny", 2)
        head.log += WEIGHTS + NCCL
        await seen.until(lambda: seen.store.server.stage == "weights")
        assert seen.store.nodes["spark2"].nccl == "NET/IB ×2"
        assert seen.store.nodes["spark1"].nccl == "NET/Socket"
        assert len(seen.store.nodes["spark1"].nccl_lines) == 1
        head.answers, head.tokens = True, 100
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        head.tokens, head.running = 500, 3
        await seen.until(lambda: seen.store.server.generated_per_s)
        assert seen.store.server.load is not None
        assert seen.store.server.load.running == 3
        head.answers, head.serving, head.job_status = False, [], 143
        await seen.until(lambda: seen.store.server.phase is ServerPhase.NONE)
        assert [t.split(" after ")[0] for t in seen.said("serve")] == [
            "tiny starts", "tiny is ready", "tiny is no longer served",
        ]  # fmt: skip


async def test_a_server_that_fails_says_why(served: Path) -> None:
    async with watched(served, "spark1", engines=True) as seen:
        head = await serving(seen)
        head.log += WEIGHTS + b"ValueError: something new is wrong\n"
        await seen.until(lambda: seen.store.server.stage == "weights")
        head.serving, head.job_status = [], 1
        await seen.until(lambda: seen.store.server.phase is ServerPhase.FAILED)
        assert "something new is wrong" in seen.store.server.detail
        await asyncio.sleep(0.1)
        assert seen.store.server.phase is ServerPhase.FAILED
        assert len(seen.said("serve")) == 2


MEMORY = (
    b"(Worker_TP0 pid=77) ERROR 11-24 08:00:00 [multiproc_executor.py:700] "
    b"torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n"
)


async def test_what_a_growing_log_says_is_wrong_is_told_once_and_stands_on_the_card(served: Path) -> None:
    async with watched(served, "spark1", "spark2", engines=True) as seen:
        head = await serving(seen)
        head.log += WEIGHTS + MEMORY + MEMORY
        await seen.until(lambda: seen.store.nodes["spark1"].log_error)
        told = [text for text in seen.said("spark1") if text.startswith("the server's log: ")]
        assert len(told) == 1
        assert "memory" in seen.store.nodes["spark1"].log_error
        assert seen.store.nodes["spark2"].log_error == ""
        head.serving, head.job_status = [], 143
        await seen.until(lambda: seen.store.server.phase is ServerPhase.NONE)
        assert seen.store.nodes["spark1"].log_error == ""


async def test_a_server_whose_head_is_lost_is_unknown_and_found_again(served: Path) -> None:
    async with watched(served, "spark1", engines=True) as seen:
        head = await serving(seen)
        head.answers = True
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        head.refuses = [Unreachable("off")] * 3
        head.cut()
        await seen.until(lambda: seen.store.server.phase is ServerPhase.UNKNOWN)
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        assert len(seen.said("serve")) == 2


async def ready(seen: Watched) -> Spark:
    """It serves, in Ray, and NCCL said what it uses."""
    head = await serving(seen)
    head.members = tuple((s.address, "ALIVE") for s in seen.sparks.values())
    head.log += NCCL
    head.answers = True
    await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
    await seen.until(lambda: all(n.ray_alive and n.nccl for n in seen.store.nodes.values()))
    return head


async def test_what_a_silent_ray_said_is_not_kept_as_known(served: Path) -> None:
    async with watched(served, "spark1", "spark2", engines=True, silent_s=200) as seen:
        head = await ready(seen)
        head.mute = ("/api/",)
        await seen.until(lambda: all(n.ray_alive is None for n in seen.store.nodes.values()))
        assert seen.said("ray") == ["Ray has not answered for 200 s: who is in it is unknown"]
        assert seen.store.server.phase is ServerPhase.READY
        head.mute = ()
        await seen.until(lambda: all(n.ray_alive for n in seen.store.nodes.values()))
        assert seen.said("ray")[1:] == ["Ray answers again"]


async def test_a_silent_server_is_unknown_with_what_follows_from_it(served: Path) -> None:
    async with watched(served, "spark1", "spark2", engines=True, silent_s=200) as seen:
        head = await ready(seen)
        head.mute = ("/health", "/metrics")
        await seen.until(lambda: seen.store.server.phase is ServerPhase.UNKNOWN)
        assert (
            seen.store.server.detail == "the server has not answered for 200 s: whether it serves is unknown"
        )
        assert [n.nccl for n in seen.store.nodes.values()] == ["", ""]
        head.mute = ()
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)
        assert [n.nccl for n in seen.store.nodes.values()] == ["NET/Socket", "NET/IB ×2"]
        told = [text.split(" after ")[0] for text in seen.said("serve")]
        assert told == ["tiny starts", "tiny is ready", seen.said("serve")[2], "the server answers again"]
        assert "has not answered" in told[2]


async def test_what_says_too_much_is_unknown_and_named(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(served, "spark1", "spark2", engines=True) as seen:
        head = await ready(seen)
        monkeypatch.setattr(http, "MOST_ANSWER_BYTES", 400)
        head.members = tuple((f"10.0.0.{n}", "ALIVE") for n in range(100))
        head.more = "#" * 1000
        await seen.until(lambda: seen.store.server.detail == "/metrics says too much: more than 0 MiB")
        await seen.until(lambda: any("/api/v0/nodes says too much" in text for text in seen.said("ray")))
        assert seen.store.server.phase is ServerPhase.UNKNOWN
        assert all(n.ray_alive is None for n in seen.store.nodes.values())


async def test_a_look_that_does_not_end_is_not_kept_as_known(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", engines=True, silent_s=10) as seen:
        await seen.up()
        seen.sparks["spark1"].mute = ("-s",)
        seen.watch.refresh()
        await seen.until(lambda: seen.store.nodes["spark1"].look is None)
        assert seen.store.nodes["spark1"].reach is Reachability.UP
        looks = [text for text in seen.said("spark1") if text.startswith("the look")]
        assert looks == ["the look at it has not ended for 180 s: what was seen there is unknown"]
        seen.sparks["spark1"].mute = ()
        await seen.until(lambda: seen.store.nodes["spark1"].look)
        assert "looks at it end again" in seen.said("spark1")


async def test_what_only_the_head_tells_is_unknown_at_the_moment_it_is_lost(served: Path) -> None:
    """Its link is gone without a word: no question of it comes to an end by itself."""
    async with watched(served, "spark1", "spark2", engines=True) as seen:
        head = await ready(seen)
        head.mute, head.refuses = ("/api/", "/health", "/metrics"), [Unreachable("off")] * 3
        await seen.fleet.clock.sleep(10)
        assert seen.store.server.phase is ServerPhase.READY
        head.cut()
        await seen.until(lambda: seen.store.nodes["spark1"].reach is Reachability.LOST)
        assert seen.store.server.phase is ServerPhase.UNKNOWN
        assert [n.ray_alive for n in seen.store.nodes.values()] == [None, None]
        assert [n.via for n in seen.store.nodes.values()] == ["", ""]
        head.mute = ()
        await seen.until(lambda: seen.store.server.phase is ServerPhase.READY)


async def test_a_server_that_hangs_when_its_head_is_back_does_not_start(served: Path) -> None:
    async with watched(served, "spark1", "spark2", engines=True) as seen:
        head = await ready(seen)
        head.answers, head.refuses = False, [Unreachable("off")] * 3
        head.cut()
        await seen.until(lambda: seen.store.server.phase is ServerPhase.WEDGED)
        assert [text.split(" after ")[0] for text in seen.said("serve")] == [
            "tiny starts", "tiny is ready", "tiny is stuck: it does not answer",
        ]  # fmt: skip


async def test_the_nodes_may_change_and_those_that_stay_keep_their_connection(tmp_path: Path) -> None:
    async with watched(tmp_path, "spark1", "spark2", engines=True) as seen:
        await seen.up()
        smaller = seen.cluster.model_copy(update={"nodes": seen.cluster.nodes[:1]})
        await seen.fleet.regroup(smaller)
        await seen.watch.regroup(smaller)
        assert tuple(seen.store.nodes) == ("spark1",)
        assert seen.store.nodes["spark1"].reading is not None
        await seen.fleet.regroup(seen.cluster)
        await seen.watch.regroup(seen.cluster)
        await seen.up()
        assert [s.logins for s in seen.sparks.values()] == [1, 2]


async def test_no_nodes_are_watched_too() -> None:
    async with Fleet(Cluster(), lambda node: asyncio.sleep(0), QuickClock()) as fleet:  # type: ignore[arg-type,return-value]
        store = Store(Cluster())
        async with Watch(fleet, store) as watch:
            watch.refresh()
            await asyncio.sleep(0.05)
        assert store.server.phase is ServerPhase.NONE


async def test_many_nodes_connect_a_few_at_a_time(tmp_path: Path) -> None:
    sparks = {f"s{n}": Spark(f"s{n}", f"10.0.0.{n + 1}", tmp_path) for n in range(64)}
    cluster = Cluster(nodes=tuple(Node(name=s.name, address=s.address) for s in sparks.values()))
    under_way, most = 0, 0

    async def connect(node: Node) -> Shell:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.005)
        under_way -= 1
        return await sparks[node.name].connect(node)

    store = Store(cluster)
    async with Fleet(cluster, connect, QuickClock()) as fleet, Watch(fleet, store):
        for _ in range(2000):
            if len(store.up()) == 64:
                break
            await asyncio.sleep(0.005)
    assert len(store.up()) == 64
    assert most == CONNECTING


async def test_its_end_leaves_no_task(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with watched(tmp_path, "spark1", "spark2", engines=True) as seen:
        head = await serving(seen)
        head.log += WEIGHTS
        await seen.until(lambda: seen.store.server.stage == "weights")
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
