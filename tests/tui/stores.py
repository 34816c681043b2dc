"""Stores filled by hand: a cluster that serves, with whatever is wrong in it, at a time that stands still."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from textual.pilot import Pilot

from sparkconsole.fleet.store import Event, NodeState, Reachability, ServerPhase, Store
from sparkconsole.model.checks import Look
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.fabric.links import Fabric, Gid, Hca, Netdev
from sparkconsole.model.facts import DockerAccess, Gpu, GpuProcess, Memory, NodeFacts
from sparkconsole.model.launch.site import Site
from sparkconsole.model.serve.engine import EngineLoad
from sparkconsole.model.telemetry import LinkTraffic, Reading
from sparkconsole.tui.draw.assessment import Assessment
from sparkconsole.tui.draw.node_state import DrawContext
from tests.tui.harness import app_of, console, seen

NOW_S = 100_000.0
WALL = datetime(2026, 1, 31, 10, 42, tzinfo=UTC)
MODEL = "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4"
GIB = 2**30
IMAGE = ImageIdentity(
    "vllm-node:latest", "sha256:9f3c1a", "linux/arm64", ("sha256:1", "sha256:2"), "sha256:c", 21 * GIB,
    "2026-01-25T09:00:00.123456789Z",
)  # fmt: skip
HOSTILE = "\x1b[31m[/x] [bold]\x00\r\n汉字\u0301\x1b]0;t\x07 Worker died [pid=12]"


class StillTime:
    """The fleet's clock, stopped."""

    def __init__(self) -> None:
        self.at_s, self.wall = NOW_S, WALL

    def monotonic(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return self.wall

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")

    def go_on(self, seconds: float) -> None:
        """Time passes."""
        self.at_s += seconds
        self.wall += timedelta(seconds=seconds)


def cluster(count: int) -> Cluster:
    """`count` nodes, spark-01 leads."""
    return Cluster(
        name="lab",
        nodes=tuple(Node(name=f"spark-{i:02}", address=f"192.168.177.{10 + i}") for i in range(1, count + 1)),
    )


def filled(count: int) -> Store:
    """Everything is well and a model is served."""
    store = Store(cluster(count))
    for i, name in enumerate(store.nodes, 1):
        store.update(name, **known(i, count))
        for at in range(120):
            store.histories[name].add(reading(i, at))
    if count:
        _serve(store, count)
    return store


def _serve(store: Store, count: int) -> None:
    store.serve(
        phase=ServerPhase.READY, model=MODEL, ranks=count, since_s=NOW_S - 2472, seen_at_s=NOW_S,
        generated_per_s=41.2, prompt_per_s=812.0,
        load=EngineLoad(running=4, waiting=0, kv_share=0.37),
    )  # fmt: skip
    for at in range(120):
        store.generated.append(40 + 8 * math.sin(at / 7))
        store.prompted.append(800 if at % 13 == 0 else 60.0)
    for ago, level, source, text in (
        (340, "info", "images", f"vllm-node {IMAGE.short[:6]} on {count} of {count} nodes"),
        (309, "info", "launch", "head and workers joined Ray"),
        (117, "done", "serve", "model ready in 3 min 12 s (fastsafetensors)"),
        (2, "warning", f"spark-{count:02}", "roceP2p1s0f1 link flapped once in 10 min"),
    ):
        store.tell(Event(WALL - timedelta(seconds=ago), level, source, text))


def known(i: int, count: int) -> dict[str, Any]:
    """What the watch knows of node `i`."""
    return {
        "reach": Reachability.UP,
        "since_s": NOW_S - 5000,
        "reading": reading(i, 120),
        "read_at_s": NOW_S - 0.4,
        "look": look(i),
        "containers": (container(),),
        "images": (IMAGE,),
        "ray_alive": True if count > 1 else None,
        "nccl": "NET/IB ×2" if count > 1 else "",
        "nccl_lines": NCCL if count > 1 else (),
    }


NCCL = (
    "[0] NCCL INFO NET/IB : Using [0]rocep1s0f1:1/RoCE [1]roceP2p1s0f1:1/RoCE",
    "[0] NCCL INFO Using network IB",
    "[0] NCCL INFO Channel 00/02 : 0 1",
    "[0] NCCL INFO Connected all rings",
)


def container(**changes: Any) -> Container:
    """The cluster's own."""
    own = Container(
        "vllm_node", "c0ffee", "vllm-node", "sha256:9f3c1a", "running", started_at="2026-01-31T10:01:00Z"
    )
    return replace(own, **changes)


def reading(i: int, at: int) -> Reading:
    """What node `i` did at second `at`."""
    share = 71 + (i * 7) % 20 + 8 * math.sin(at / 9 + i)
    rail = LinkTraffic(True, 5.9e9 + 1e8 * math.sin(at / 5), 5.8e9)
    return Reading(
        clock_s=WALL.timestamp(),
        cpu=12.0,
        memory=Memory(int(119.7 * GIB), int((20.3 + i % 9) * GIB), 16 * GIB, 16 * GIB),
        load=6.1,
        pressure=0.0,
        temperature_c=68.0,
        rails={
            "rocep1s0f0": LinkTraffic(False),
            "rocep1s0f1": rail,
            "roceP2p1s0f0": LinkTraffic(False),
            "roceP2p1s0f1": rail,
        },
        nets={"enp1s0f1np1": LinkTraffic(True, 1.2e6, 1.1e6), "enP7s7": LinkTraffic(True, 2e3, 1e3)},
        gpus=(Gpu("NVIDIA GB10", utilisation=share, power_w=48.0 + i % 7, temperature_c=70.0 + i % 3),),
        gpu_processes=(GpuProcess(311, "VLLM::Worker_TP0", int(83.1 * GIB)),),
        disk_free=612 * GIB,
        uptime_s=12 * 86_400 + 14_400.0,
    )


def look(i: int) -> Look:
    """The slow look at node `i`."""
    facts = NodeFacts(
        f"spark-{i:02}",
        hostname=f"spark-{i:02}",
        kernel="6.11.0-1016-nvidia",
        machine="aarch64",
        release="NVIDIA DGX OS 7.2.3",
        user="nvidia",
        clock_synced=True,
        fabric=fabric(i),
        gpus=(Gpu("NVIDIA GB10", driver="580.95.05"),),
        memory=Memory(int(119.7 * GIB), int(20.3 * GIB)),
        docker=DockerAccess(True, True, True, "28.3.3", "overlay2"),
        free={"docker": 612 * GIB},
        cache_owner="nvidia",
    )
    return Look(
        facts,
        Site(
            facts.node,
            "/home/nvidia",
            20 * GIB,
            frozenset(),
            Container("vllm_node", "c1", "vllm-node", "x", "running"),
        ),
        IMAGE,
    )


def fabric(i: int) -> Fabric:
    """One cable in the second cage: two devices up, two down."""
    gids = (Gid(3, "0000:0000:0000:0000:0000:ffff:c0a8:b10b", "RoCE v2"),)

    def hca(device: str, netdev: str, up: bool) -> Hca:
        rate, state = ("200 Gb/sec", "LinkUp") if up else ("40 Gb/sec", "Disabled")
        return Hca(
            device,
            netdev,
            1,
            up,
            rate,
            f"guid-{i}",
            gids if up and "P" not in device else (),
            phys_state=state,
        )

    return Fabric(
        hcas=(
            hca("rocep1s0f0", "enp1s0f0np0", False),
            hca("rocep1s0f1", "enp1s0f1np1", True),
            hca("roceP2p1s0f0", "enP2p1s0f0np0", False),
            hca("roceP2p1s0f1", "enP2p1s0f1np1", True),
        ),
        netdevs=(
            Netdev("enp1s0f1np1", (f"192.168.177.{10 + i}/24",), 9000, True, 200_000),
            Netdev("enP2p1s0f1np1", (), 9000, True, 200_000),
            Netdev("enP7s7", (f"10.0.0.{10 + i}/24",), 1500, True, 10_000),
        ),
    )


def lose(
    store: Store, name: str, reason: str = "the connection was lost: no answer for 15 s", **more: Any
) -> None:
    """It went away 48 s ago."""
    told = {"reach": Reachability.LOST, "reason": reason, "hint": "is it switched on?", "since_s": NOW_S - 48}
    store.update(name, **{**told, "read_at_s": NOW_S - 49, "retry_at_s": NOW_S + 5, **more})


def hostile(store: Store, names: Iterable[str]) -> None:
    """A machine says the worst in every field."""
    for name in names:
        state: NodeState = store.nodes[name]
        assert state.reading is not None
        assert state.look is not None
        bad = Gpu(HOSTILE, HOSTILE, math.nan, math.inf, math.nan, driver=HOSTILE)
        store.update(
            name,
            reason=HOSTILE, hint=HOSTILE, nccl=HOSTILE, nccl_lines=(HOSTILE, HOSTILE * 400),
            reading=replace(
                state.reading, cpu=math.nan, load=math.inf, gpus=(bad,), gpu_error=HOSTILE,
                rails={HOSTILE: LinkTraffic(None, math.nan, -1.0, 3)}, nets={HOSTILE: LinkTraffic()},
                gpu_processes=(GpuProcess(-1, HOSTILE, None),), uptime_s=math.nan, temperature_c=math.inf,
                memory=Memory(0, -5), disk_free=-1, pressure=math.nan,
            ),
            look=replace(
                state.look,
                facts=replace(
                    state.look.facts, hostname=HOSTILE, kernel=HOSTILE, release=HOSTILE, user=HOSTILE,
                    fabric=Fabric((Hca(HOSTILE, HOSTILE, up=True),), (Netdev(HOSTILE, mtu=-1),)),
                    unparsed=(HOSTILE,),
                ),
            ),
            containers=(container(name="vllm_node", state=HOSTILE, image=HOSTILE, started_at=HOSTILE),),
            images=(replace(IMAGE, created=HOSTILE, tag=HOSTILE),),
        )  # fmt: skip
    store.serve(model=HOSTILE, detail=HOSTILE, stage=HOSTILE)
    store.tell(Event(WALL, HOSTILE, HOSTILE, HOSTILE))


def scene(store: Store, **more: object) -> DrawContext:
    """What its looks mean, now."""
    meaning = Assessment()
    meaning.sample(cluster(len(store.nodes)), store.nodes, NOW_S)
    known = {"networks": meaning.networks, "warnings": meaning.warnings, "histories": store.histories}
    alone = len(store.nodes) == 1
    return DrawContext(NOW_S, WALL, alone=alone, **{**known, **more})  # type: ignore[arg-type]


class Unwatched:
    """Nobody watches: what is in the store was put there by hand."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    async def __aenter__(self) -> Unwatched:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def refresh(self) -> None:
        """Nothing to look at."""

    def again(self, node: str) -> None:
        """Nothing to try."""

    async def regroup(self, cluster: Cluster) -> None:
        """Nothing to learn."""


@asynccontextmanager
async def over(store: Store, size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Pilot[Any]]:
    """The console over that store."""
    with patch("sparkconsole.fleet.watch.watch.Watch", Unwatched):
        async with console(nodes=max(1, len(store.nodes)), size=size, **options) as pilot:
            app = app_of(pilot)
            await app.opened.wait()
            assert app.session is not None
            app.session.cluster = cluster(len(store.nodes))
            app.store, app.clock = store, StillTime()
            await seen(pilot)
            yield pilot
