"""The Shell of a pretend Spark: the same contract as SSH's, with answers instead of a machine."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sparkconsole.demo.answers.apis import SLOW_S, Apis
from sparkconsole.demo.answers.sampled import sample_line
from sparkconsole.demo.answers.tools import answer, spoken, waits_for_docker
from sparkconsole.demo.spark import fabric
from sparkconsole.demo.spark.engine import ray_log
from sparkconsole.demo.spark.jobs import take_in
from sparkconsole.demo.spark.machine import Machine, kernel_log
from sparkconsole.errors import TimedOut, Unreachable
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Endpoint, Pipe

_POLL_S = 0.5


class PretendShell:
    """See `remote.shell.Shell`. A connection does not outlive a power cut."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.node = machine, machine.name
        self._boots, self._drops = machine.boots, machine.drops
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._apis: Apis | None = None
        self._lock = asyncio.Lock()

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """What the machine answers, at once; a slow one takes its time."""
        if "slow" in self.machine.faults:
            await self.machine.clock.sleep(min(SLOW_S, timeout))
        await asyncio.sleep(0)
        self.require_life()
        if self.machine.frozen or waits_for_docker(self.machine, tuple(argv)):
            await self.machine.clock.sleep(timeout)
            self.require_life()
            hint = "is it frozen?" if self.machine.frozen else "is its docker? sudo systemctl status docker"
            raise TimedOut(f"no answer within {timeout:.0f} s", hint=hint, node=self.node)
        take_in(self.machine, tuple(argv), stdin)
        status, out, err = answer(self.machine, tuple(argv))
        return Completed(self.node, tuple(argv), status, out.encode(), err.encode())

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        """A followed job, the sampler, a log, or a command of a container."""
        self.require_life()
        words = tuple(argv)
        if words[:2] == ("sh", "-c") and words[3] == "job-follow":
            return FollowedJob(self, words)
        if "sampler" in words:
            return Sampled(self, words)
        if "gate-meter" in words:
            return Metered(self, words)
        if "kernel-log" in words or "ray-log" in words:
            return Printed(self, words)
        return SpokenExec(self, words)

    @property
    def closed(self) -> bool:
        """The connection is gone."""
        return not self.machine.on or (self._boots, self._drops) != (self.machine.boots, self.machine.drops)

    async def thaw(self) -> None:
        """Waits as long as nothing comes from it; Unreachable when the connection breaks meanwhile."""
        while self.machine.frozen:
            self.require_life()
            await self.machine.clock.sleep(_POLL_S)

    def require_life(self) -> None:
        """Unreachable as soon as nobody answers keepalives any more."""
        if self.closed:
            raise Unreachable(
                "the connection was lost: no answer to keepalives",
                hint="what runs on it is unknown; it is tried again",
                node=self.node,
            )

    async def open_socket(self, target: str) -> Endpoint:
        """A socket for each target, also where nobody listens."""
        self.require_life()
        async with self._lock:
            if self._folder is None or self._apis is None:
                self._folder = tempfile.TemporaryDirectory(prefix="sparkconsole-demo-")
                self._apis = Apis(self.machine, Path(self._folder.name), lambda: self.closed)
        return Endpoint(path=await self._apis.socket(target))

    async def aclose(self) -> None:
        """Takes the socket away."""
        if self._apis is not None and self._folder is not None:
            await self._apis.aclose()
            self._folder.cleanup()


class _Pretend:
    """The ends of a pipe that nobody needs here. It ends well."""

    def __init__(self, shell: PretendShell, argv: tuple[str, ...]) -> None:
        self._shell, self._machine, self._argv = shell, shell.machine, argv
        self._read = False

    async def wait(self) -> Completed:
        """The end."""
        return Completed(self._shell.node, self._argv, 0)

    async def write(self, data: bytes) -> None:
        """Nobody reads it."""

    async def close_input(self) -> None:
        """It was never open."""

    async def kill(self) -> None:
        """Nothing runs."""


class FollowedJob(_Pretend):
    """A job's output from an offset on, until it ended."""

    def __init__(self, shell: PretendShell, argv: tuple[str, ...]) -> None:
        super().__init__(shell, argv)
        self._name, self._offset = argv[4], int(argv[5])

    async def read(self, size: int = 65536) -> bytes:
        """What is new, waiting for it while the job goes on."""
        while (job := self._machine.look(self._name)) is not None:
            await self._shell.thaw()
            self._shell.require_life()
            chunk = self._machine.log(job)[self._offset : self._offset + size]
            if chunk or job.status is not None:
                self._offset += len(chunk)
                return chunk
            await self._machine.clock.sleep(_POLL_S)
        return b""

    async def wait(self) -> Completed:
        """The end of following, not of the job."""
        status = 0 if self._name in self._machine.jobs else 19
        return Completed(self._machine.name, self._argv, status, b"", b"the node knows no such job")


class Sampled(_Pretend):
    """The sampler: a line now, and one every pretend second."""

    def __init__(self, shell: PretendShell, argv: tuple[str, ...]) -> None:
        super().__init__(shell, argv)
        self._period = float(argv[argv.index("sampler") + 1])
        self._ended = asyncio.Event()
        self._since = shell.machine.clock.monotonic()

    async def read(self, size: int = 65536) -> bytes:
        """The next line; nothing once its input ended."""
        if self._read:
            await self._next()
        await self._shell.thaw()
        if self._ended.is_set():
            return b""
        self._read = True
        self._shell.require_life()
        machine, since = self._shell.machine, self._since
        self._since = machine.clock.monotonic()
        return f"{sample_line(machine, since)}\n".encode()

    async def _next(self) -> None:
        waits = {
            asyncio.ensure_future(self._shell.machine.clock.sleep(self._period)),
            asyncio.ensure_future(self._ended.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiting in waits:
                waiting.cancel()

    async def close_input(self) -> None:
        """That is how it is ended."""
        self._ended.set()

    async def wait(self) -> Completed:
        """It never ends by itself."""
        return Completed(self._shell.node, self._argv, None)


class Metered(_Pretend):
    """One end of a measurement: the receiver says its port, the sender its result two seconds later."""

    async def read(self, size: int = 65536) -> bytes:
        """The one line."""
        if self._read:
            return b""
        self._read = True
        line, lasts_s = fabric.metered(self._shell.machine, self._argv)
        await self._shell.machine.clock.sleep(lasts_s)
        self._shell.require_life()
        return line.encode()


class Printed(_Pretend):
    """The kernel's log or Ray's: what is there, and what is added."""

    def __init__(self, shell: PretendShell, argv: tuple[str, ...]) -> None:
        super().__init__(shell, argv)
        self._offset = 0
        running = (c for c in shell.machine.running() if c.name in argv and c.in_ray)
        self._container = next(running, None) if "ray-log" in argv else None

    def _text(self) -> bytes:
        return (ray_log(self._container) if self._container else kernel_log(self._shell.machine)).encode()

    def _goes_on(self) -> bool:
        return "follow" in self._argv and (self._container is None or self._container.running)

    async def read(self, size: int = 65536) -> bytes:
        """What is new; Ray's ends with its container."""
        while self._container is not None or "kernel-log" in self._argv:
            self._shell.require_life()
            chunk = self._text()[self._offset : self._offset + size]
            if chunk or not self._goes_on():
                self._offset += len(chunk)
                return chunk
            await self._shell.machine.clock.sleep(1.0)
        return b""

    async def wait(self) -> Completed:
        """Ray has no log where it does not run."""
        if "kernel-log" in self._argv:
            return await super().wait()
        if self._container is not None:
            return Completed(self._shell.node, self._argv, 0 if self._container.running else 137)
        return Completed(self._shell.node, self._argv, 3, b"", b"Ray has no logs here: it does not run")


class SpokenExec(_Pretend):
    """A command of a container: says what it would have run, in the frames that `exec` reads."""

    def __init__(self, shell: PretendShell, argv: tuple[str, ...]) -> None:
        super().__init__(shell, argv)
        names = {c.name for c in self._machine.running()}
        at = next((i for i, w in enumerate(argv) if w in names), None)
        self._status = 0 if at is not None else 1
        text = spoken(self._machine, argv[at + 1 :]) if at is not None else "Error: No such container\n"
        data = text.encode()
        self._frame = b"%d %d\n%s" % (1 if at is not None else 2, len(data), data)

    async def read(self, size: int = 65536) -> bytes:
        """The one frame."""
        if self._read:
            return b""
        self._read = True
        return self._frame

    async def wait(self) -> Completed:
        """The end."""
        return Completed(self._machine.name, self._argv, self._status)
