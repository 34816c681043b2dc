"""The Shell of a pretend Spark: the same contract as SSH's, with answers instead of a machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from sparkconsole.clock import sleep_unless
from sparkconsole.config.locked import OwnFolder
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
        self._folder: OwnFolder | None = None
        self._apis: Apis | None = None
        self._lock = asyncio.Lock()

    async def run(
        self, argv: Sequence[str], *, stdin: bytes | None = None, timeout: float = DEFAULT_TIMEOUT_S, **_: Any
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
        return PretendPipe(self, tuple(argv))

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
            cause = "the connection was lost: no answer to keepalives"
            raise Unreachable(cause, hint="what runs on it is unknown; it is tried again", node=self.node)

    async def open_socket(self, target: str) -> Endpoint:
        """A socket for each target, also where nobody listens."""
        self.require_life()
        async with self._lock:
            if self._folder is None or self._apis is None:
                self._folder = OwnFolder()
                self._apis = Apis(self.machine, Path(self._folder.name), lambda: self.closed)
        return Endpoint(path=await self._apis.socket(target))

    async def aclose(self) -> None:
        """Takes the socket away."""
        if self._apis is not None and self._folder is not None:
            await self._apis.aclose()
            self._folder.cleanup()


class PretendPipe:
    """A command whose output is told piece by piece. Only the sampler minds its input."""

    def __init__(self, shell: PretendShell, argv: tuple[str, ...]) -> None:
        self.shell, self.machine, self.argv = shell, shell.machine, argv
        self.began, self.closed = shell.machine.clock.monotonic(), asyncio.Event()
        self.status: int | None = 0
        self.errors, self._rest = b"", b""
        self._chunks = next((_OUTPUTS[word] for word in argv if word in _OUTPUTS), _spoken)(self)

    async def read(self, size: int = 65536) -> bytes:
        """What is new; nothing at the end."""
        chunk = self._rest or await anext(self._chunks, b"")
        self._rest = chunk[size:]
        return chunk[:size]

    async def wait(self) -> Completed:
        """The end."""
        while await self.read():
            pass
        return Completed(self.shell.node, self.argv, self.status, b"", self.errors)

    async def write(self, data: bytes) -> None:
        """Nobody reads it."""

    async def close_input(self) -> None:
        """That is how the sampler is ended."""
        self.closed.set()

    async def kill(self) -> None:
        """Nothing runs; what would be told of it is not."""
        with contextlib.suppress(RuntimeError):  # somebody reads it right now
            await self._chunks.aclose()


async def _followed(pipe: PretendPipe) -> AsyncGenerator[bytes, None]:
    """A job's output from an offset on, until it ended; the end of following is not the job's."""
    machine, name, offset = pipe.machine, pipe.argv[4], int(pipe.argv[5])
    while (job := machine.look(name)) is not None:
        await pipe.shell.thaw()
        pipe.shell.require_life()
        chunk = machine.log(job)[offset:]
        offset += len(chunk)
        if chunk:
            yield chunk
        elif job.status is not None:
            return
        else:
            await machine.clock.sleep(_POLL_S)
    pipe.status, pipe.errors = 19, b"the node knows no such job"


async def _sampled(pipe: PretendPipe) -> AsyncGenerator[bytes, None]:
    """The sampler: a line now, and one every pretend second. It never ends by itself."""
    clock, since, pipe.status = pipe.machine.clock, pipe.began, None
    while True:
        await pipe.shell.thaw()
        if pipe.closed.is_set():
            return
        pipe.shell.require_life()
        before, since = since, clock.monotonic()
        yield f"{sample_line(pipe.machine, before)}\n".encode()
        await sleep_unless(pipe.closed, clock, float(pipe.argv[pipe.argv.index("sampler") + 1]))


async def _metered(pipe: PretendPipe) -> AsyncGenerator[bytes, None]:
    """One end of a measurement: the receiver says its port, the sender its result two seconds later."""
    line, lasts_s = fabric.metered(pipe.machine, pipe.argv)
    await pipe.machine.clock.sleep(lasts_s)
    pipe.shell.require_life()
    yield line.encode()


async def _printed(pipe: PretendPipe) -> AsyncGenerator[bytes, None]:
    """The kernel's log or Ray's: what is there, and what is added; Ray's ends with its container."""
    machine, argv, offset = pipe.machine, pipe.argv, 0
    ray = next((c for c in machine.running() if c.name in argv and c.in_ray), None)
    if "ray-log" in argv and ray is None:
        pipe.status, pipe.errors = 3, b"Ray has no logs here: it does not run"
        return
    while True:
        pipe.shell.require_life()
        chunk = (ray_log(ray) if ray else kernel_log(machine)).encode()[offset:]
        offset += len(chunk)
        if chunk:
            yield chunk
        elif "follow" not in argv or (ray is not None and not ray.running):
            break
        else:
            await machine.clock.sleep(1.0)
    pipe.status = 0 if ray is None or ray.running else 137


async def _spoken(pipe: PretendPipe) -> AsyncGenerator[bytes, None]:
    """A command of a container: says what it would have run, in the frames that `exec` reads."""
    names = {c.name for c in pipe.machine.running()}
    at = next((i for i, word in enumerate(pipe.argv) if word in names), None)
    text = "Error: No such container\n" if at is None else spoken(pipe.machine, pipe.argv[at + 1 :])
    pipe.status = int(at is None)
    yield b"%d %d\n%s" % (2 if at is None else 1, len(text.encode()), text.encode())


_OUTPUTS = {
    "job-follow": _followed,
    "sampler": _sampled,
    "gate-meter": _metered,
    "kernel-log": _printed,
    "ray-log": _printed,
}
