"""The Shell of a pretend Spark: the same contract as SSH's, with answers instead of a machine."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from sparkconsole.demo.apis import Apis
from sparkconsole.demo.machine import Machine
from sparkconsole.demo.tools import answer, spoken
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Endpoint, Pipe

_POLL_S = 0.5


class PretendShell:
    """See `remote.shell.Shell`."""

    closed = False

    def __init__(self, machine: Machine) -> None:
        self.machine, self.node = machine, machine.name
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
        """What the machine answers, at once."""
        await asyncio.sleep(0)
        status, out, err = answer(self.machine, tuple(argv))
        return Completed(self.node, tuple(argv), status, out.encode(), err.encode())

    async def lines(self, argv: Sequence[str], *, timeout: float | None = None) -> AsyncIterator[str]:
        """The answer, line by line."""
        done = await self.run(argv)
        for line in done.text.splitlines():
            yield line
        done.checked()

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        """A followed job, or a command of a container."""
        words = tuple(argv)
        if words[:2] == ("sh", "-c") and words[3] == "job-follow":
            return FollowedJob(self.machine, words)
        return SpokenExec(self.machine, words)

    async def open_socket(self, target: str) -> Endpoint:
        """One socket answers for Docker, Ray and the server."""
        async with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="sparkconsole-demo-")
                self._apis = Apis(self.machine, Path(self._folder.name) / "api.sock")
                await self._apis.start()
        return Endpoint(path=str(Path(self._folder.name) / "api.sock"))

    async def aclose(self) -> None:
        """Takes the socket away."""
        if self._apis is not None and self._folder is not None:
            await self._apis.aclose()
            self._folder.cleanup()


class _Pretend:
    """The ends of a pipe that nobody needs here."""

    async def write(self, data: bytes) -> None:
        """Nobody reads it."""

    async def close_input(self) -> None:
        """It was never open."""

    async def kill(self) -> None:
        """Nothing runs."""


class FollowedJob(_Pretend):
    """A job's output from an offset on, until it ended."""

    def __init__(self, machine: Machine, argv: tuple[str, ...]) -> None:
        self._machine, self._argv = machine, argv
        self._name, self._offset = argv[4], int(argv[5])

    async def read(self, size: int = 65536) -> bytes:
        """What is new, waiting for it while the job goes on."""
        while (job := self._machine.look(self._name)) is not None:
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


class SpokenExec(_Pretend):
    """A command of a container: says what it would have run, in the frames that `exec` reads."""

    def __init__(self, machine: Machine, argv: tuple[str, ...]) -> None:
        self._machine, self._argv, self._told = machine, argv, False
        at = next((i for i, w in enumerate(argv) if w in machine.containers), None)
        self._status = 0 if at is not None else 1
        text = spoken(machine, argv[at + 1 :]) if at is not None else "Error: No such container\n"
        data = text.encode()
        self._frame = b"%d %d\n%s" % (1 if at is not None else 2, len(data), data)

    async def read(self, size: int = 65536) -> bytes:
        """The one frame."""
        if self._told:
            return b""
        self._told = True
        return self._frame

    async def wait(self) -> Completed:
        """The end."""
        return Completed(self._machine.name, self._argv, self._status)
