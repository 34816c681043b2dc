"""Sparks for the watch: their sampler says what the test lets it say, their APIs answer on real sockets."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.store import Event, Store
from sparkconsole.fleet.watch import context as watch_context
from sparkconsole.fleet.watch.watch import Watch
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.launch.spec import LABEL_ADDRESS, LABEL_LAUNCH, LaunchSpec
from sparkconsole.remote.sampler import sampler
from sparkconsole.remote.shell import Completed, Endpoint, Pipe, Shell
from tests.line_shell import LineShell


class QuickClock:
    """A hundred seconds pass in one."""

    speed = 100.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


@dataclass
class Spark:
    """One machine; a test changes it while it is watched."""

    name: str
    address: str
    folder: Path
    refuses: list[Exception] = field(default_factory=list)
    """What the next logins are answered with."""
    python: bool = True
    garbage: bool = False
    frozen: bool = False
    """The connection stands and nothing comes."""
    mute: tuple[str, ...] = ()
    """Paths of APIs, and words of commands, whose questions are taken and not answered."""
    up: bool = True
    """The link of its one rail."""
    gpu_error: str = ""
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    serving: list[tuple[int, str, str]] = field(default_factory=list)
    log: bytes = b""
    job_status: int | None = None
    answers: bool = False
    stuck: bool = False
    asked: int = 0
    """Completions that were asked for."""
    more: str = ""
    """What else its server's metrics say."""
    running: int = 0
    tokens: int = 0
    oom: int = 0
    """Processes that its kernel has killed."""
    guard_said: str = ""
    """The last word of the guard that ended its server."""
    pings: int = 0
    """How its pings end."""
    gpu: tuple[float, float] | None = None
    """Percent and watts."""
    rdma: float = 0.0
    """Bytes a second that its rail receives."""
    members: tuple[tuple[str, str], ...] = ()
    logins: int = 0
    shells: list[SparkShell] = field(default_factory=list)

    async def connect(self, node: Node) -> Shell:
        self.logins += 1
        if self.refuses:
            raise self.refuses.pop(0)
        self.shells.append(SparkShell(self))
        return self.shells[-1]

    def cut(self) -> None:
        """The connection is gone."""
        for shell in self.shells:
            shell.cut = True

    def launch(self, spec: LaunchSpec | None = None) -> None:
        """The cluster's container runs."""
        labels = {LABEL_LAUNCH: (spec or LaunchSpec()).recorded(), LABEL_ADDRESS: self.address}
        self.containers["vllm_node"] = {
            "Id": "c1", "Name": "/vllm_node", "Image": "sha256:1",
            "State": {"Status": "running", "StartedAt": "now", "Pid": 7},
            "Config": {"Image": "vllm-node", "Labels": labels},
        }  # fmt: skip

    def serve(self, *words: str, job: str = "serve-m-1") -> None:
        """`vllm serve` starts in the container."""
        self.serving = [(40, "\x1f".join(("vllm", "serve", *words)), job)]
        self.job_status = None

    def sample(self) -> bytes:
        """One line."""
        if self.garbage:
            return b"Traceback [/x] \x1b[31m\n"
        rail = [self.up, 1 + int(time.monotonic() * self.rdma), 2, 0]
        gpu = {"name": "GB10", **(dict(zip(("util", "power"), self.gpu, strict=True)) if self.gpu else {})}
        said = {
            "t": 1.0, "m": time.monotonic(), "mem": [100 << 30, 60 << 30, 0, 0], "gpus": [gpu],
            "oom": self.oom,
            "rails": {"rocep1s0f1": rail}, "nets": {"enp1s0f1np1": rail}, "gpu_error": self.gpu_error,
        }  # fmt: skip
        return json.dumps(said).encode() + b"\n"

    async def api(self, request: web.Request) -> web.Response:
        """Docker's, Ray's and the server's."""
        path = re.sub(r"^/v[0-9]\.[0-9.]+", "", request.path)
        if path == "/version":
            return web.json_response({"ApiVersion": "1.41", "Version": "28"})
        while self.mute and path.startswith(self.mute):  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.01)
        if path.startswith("/images/"):
            found = path == "/images/json"
            return web.json_response([] if found else {"message": "none"}, status=200 if found else 404)
        if path == "/containers/json":
            rows = [
                {**c, "Names": [c["Name"]], "State": c["State"]["Status"], "Status": c["State"]["StartedAt"]}
                for c in self.containers.values()
            ]
            return web.json_response(rows)
        if path.startswith("/containers/"):
            return web.json_response(self.containers.get("vllm_node"))
        if path == "/api/v0/nodes":
            rows = [
                {"node_id": a, "node_ip": a, "state": s, "state_message": "it died"} for a, s in self.members
            ]
            return web.json_response({"data": {"result": {"result": rows}}})
        return await self._server(path)

    async def _server(self, path: str) -> web.Response:
        if path == "/metrics":
            text = f"vllm:num_requests_running {self.running}\nvllm:generation_tokens_total {self.tokens}\n"
            return web.Response(text=f"{text}vllm:prompt_tokens_total 0\n{self.more}")
        self.asked += path == "/v1/completions"
        while path == "/v1/completions" and self.stuck:  # noqa: ASYNC110 - a test sets it, nobody tells
            await asyncio.sleep(0.01)
        return web.json_response({"data": [{"id": "tiny"}], "choices": [{"text": " 1"}]})

    def answer(self, argv: tuple[str, ...]) -> tuple[int, str]:
        """What its commands print."""
        name = next((w for w in ("serve-look", "job-state", "job-read", "launch-site") if w in argv), "")
        if name.startswith("job-") and any(w.startswith("guard-") for w in argv):
            known = f"ended 3 {len(self.guard_said)}" if self.guard_said else "unknown"
            return 0, self.guard_said if name == "job-read" else known
        if "hf-cache" in argv:
            return 0, "home /home/ann\n"
        if argv[0] == "ping":
            return self.pings, ""
        if argv[:2] == ("sh", "-s"):
            host = f"\n{argv[2]} host\n{self.name}\n6.11\naarch64\nann\n/home/ann\n1.0\nann\n"
            return 0, f"{host}\n{argv[2]} memory\nMemTotal: 100 kB\nMemAvailable: 60 kB\n\n{argv[2]} end\n"
        if name == "serve-look":
            rows = (
                f"process {g} {g} {w}\n" + (f"job {g} {j}.pid\n" if j else "") for g, w, j in self.serving
            )
            return 0, "".join(rows)
        if name == "job-state":
            state = "running -" if self.job_status is None else f"ended {self.job_status}"
            return 0, f"{state} {len(self.log)}\n"
        if name == "launch-site":
            return 0, "home /home/ann\navailable 60000\ndocker 1\nError: No such container: vllm_node\n"
        raise AssertionError(f"{self.name} does not know {argv}")


class SparkShell(LineShell):
    """One connection."""

    def __init__(self, spark: Spark) -> None:
        super().__init__(spark.name)
        self.spark = spark

    async def run(self, argv: Sequence[str], **how: Any) -> Completed:
        if self.cut:
            raise Unreachable("the connection was lost", node=self.node)
        while not self.cut and any(word in argv for word in self.spark.mute):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        status, text = self.spark.answer(tuple(argv))
        return Completed(self.node, tuple(argv), status, text.encode())

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        words = tuple(argv)
        return SamplerPipe(self, words) if "sampler" in words else LogPipe(self, words)

    async def open_socket(self, target: str) -> Endpoint:
        if self.cut:
            raise Unreachable("the connection was lost", node=self.node)
        if target.endswith(":8888") and not self.spark.answers:
            return Endpoint(path=str(self.spark.folder / "nobody"))
        if not (self.spark.folder / f"{self.spark.name}.sock").exists():
            raise SparkError("docker does not run", node=self.node)
        return Endpoint(path=str(self.spark.folder / f"{self.spark.name}.sock"))


class SamplerPipe:
    """The sampler, five hundred times faster than a real one."""

    def __init__(self, shell: SparkShell, argv: tuple[str, ...]) -> None:
        self._shell, self._argv, self._closed = shell, argv, False

    async def read(self, size: int = 65536) -> bytes:
        await asyncio.sleep(0.002)
        while self._shell.spark.frozen and not self._shell.cut:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)
        if self._shell.cut:
            raise Unreachable("the connection was lost", node=self._shell.node)
        return b"" if self._closed or not self._shell.spark.python else self._shell.spark.sample()

    async def write(self, data: bytes) -> None:
        """It reads its program."""

    async def close_input(self) -> None:
        self._closed = True

    async def wait(self) -> Completed:
        return Completed(self._shell.node, self._argv, 0 if self._shell.spark.python else 127)

    async def kill(self) -> None:
        self._closed = True


class LogPipe(SamplerPipe):
    """A job's log, followed until the job ends."""

    def __init__(self, shell: SparkShell, argv: tuple[str, ...]) -> None:
        super().__init__(shell, argv)
        self._offset = int(argv[-1])

    async def read(self, size: int = 65536) -> bytes:
        while not self._shell.cut:
            spark = self._shell.spark
            chunk = spark.log[self._offset :]
            if chunk or spark.job_status is not None:
                self._offset += len(chunk)
                return chunk
            await asyncio.sleep(0.002)
        raise Unreachable("the connection was lost", node=self._shell.node)


@dataclass
class Watched:
    """A cluster that is watched."""

    sparks: dict[str, Spark]
    cluster: Cluster
    fleet: Fleet
    store: Store
    watch: Watch

    def said(self, source: str = "") -> list[str]:
        """The events' sentences."""
        return [e.text for e in self.events(source)]

    def events(self, source: str = "") -> list[Event]:
        """All, or those of one source."""
        return [e for e in self.store.events if source in ("", e.source)]

    async def until(self, true: Callable[[], object]) -> None:
        """Waits, a while at most."""
        for _ in range(2000):
            if true():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"never; {list(self.store.nodes.values())} {self.store.server} {self.said()}")

    async def up(self) -> None:
        """Everything answers and has been looked at."""
        await self.until(lambda: all(n.reading and n.look for n in self.store.nodes.values()))


@asynccontextmanager
async def watched(
    folder: Path,
    *names: str,
    engines: bool = False,
    prepare: Callable[[dict[str, Spark]], object] = lambda _: None,
    silent_s: float = math.inf,
) -> AsyncIterator[Watched]:
    """Sparks of these names, watched; with `engines` their APIs answer."""
    sparks = {n: Spark(n, f"192.168.177.{11 + i}", folder) for i, n in enumerate(names)}
    cluster = Cluster(nodes=tuple(Node(name=s.name, address=s.address) for s in sparks.values()))
    prepare(sparks)
    store = Store(cluster)

    async def connect(node: Node) -> Shell:
        return await sparks[node.name].connect(node)

    async with AsyncExitStack() as stack:
        # Its samplers say five hundred lines a second, so that time can pass a hundred times faster.
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sampler, "REFILLED_S", 0.006)
        patch.setattr(watch_context, "SILENT_S", silent_s)
        for spark in sparks.values() if engines else ():
            await stack.enter_async_context(_api(spark))
        fleet = await stack.enter_async_context(Fleet(cluster, connect, QuickClock()))
        watch = await stack.enter_async_context(Watch(fleet, store))
        yield Watched(sparks, cluster, fleet, store, watch)


@asynccontextmanager
async def _api(spark: Spark) -> AsyncIterator[None]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", spark.api)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(spark.folder / f"{spark.name}.sock")).start()
    try:
        yield
    finally:
        await runner.cleanup()
