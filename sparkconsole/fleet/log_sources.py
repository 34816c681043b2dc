"""Where logs come from. A source can be left and taken up again where it was: nothing twice, nothing lost."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.job import Job
from sparkconsole.remote.lines import LineReader
from sparkconsole.remote.shell import Shell

Stamped = tuple[str, str]
"""The time of a line in ISO 8601, empty where it has none, and its text."""
LINE_BYTES, LEAST_READ = 512, 65536
"""How far before its end a job's output is read for its last lines: that much for each, and at least."""
_FILE = re.compile(r"^==> (.+) <==$")
_DATED = re.compile(r"^\[?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)\]?\s?")


class Source(Protocol):
    """One log of one node."""

    @property
    def node(self) -> str:
        """Whose it is."""

    @property
    def name(self) -> str:
        """What it is: container, serve, ray, kernel."""

    def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """Its lines from where it was left; SparkError when there is no such log now."""


@dataclass
class ContainerLog:
    """What a container's own process printed, as the engine keeps it."""

    node: str
    container: str
    name: str = "container"
    newer: str | None = None
    """Only what came after this time was asked for."""
    left: str = ""
    """The time of the newest line that was told."""

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; the engine stamps every line."""
        from sparkconsole.remote.docker import container as find
        from sparkconsole.remote.docker import container_log

        shell = await fleet.shell(self.node)
        if await find(shell, self.container) is None:
            raise SparkError(
                f"no container {self.container} here",
                hint="logs of earlier ones: sparkconsole runs list",
                node=self.node,
            )
        left = self.left
        async for time, line in container_log(
            shell, self.container, follow=follow, since=left or self.newer, tail=None if left else tail
        ):
            if left and time <= left:
                continue
            yield time, line
            self.left = time


@dataclass
class JobLog:
    """What a job printed; a server's job is the server's log. Only as much is read as is told."""

    job: Job
    offset: int | None = None
    """Bytes of the output that were read; None before the first."""
    _reader: LineReader = field(default_factory=LineReader)
    _waiting: deque[str] = field(default_factory=deque)
    _torn: bool = False
    """Reading began within a line, whose rest is no line."""

    @property
    def node(self) -> str:
        """See `Source`."""
        return self.job.node

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.job.kind.value

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; a line that nobody took is told again, so that none is lost by leaving."""
        shell = await fleet.shell(self.node)
        async with contextlib.aclosing(self._turns(shell, follow=follow, tail=tail)) as turns:
            async for _ in turns:
                while self._waiting:
                    yield "", self._waiting[0]
                    self._waiting.popleft()

    async def _turns(self, shell: Shell, *, follow: bool, tail: int | None) -> AsyncGenerator[None, None]:
        """Yields whenever there are lines to tell: at first all that were there, then what comes."""
        from sparkconsole.remote import jobs

        standing = await jobs.state(shell, self.job)
        if not standing.known:
            raise SparkError(f"{self.job.id}: the node keeps no output of it", node=self.node)
        size, running = standing.log_bytes, True
        kept = self._begin(size, tail)
        while running and (follow or self._at < size):
            chunks = jobs.output(shell, self.job, self._at)
            async with contextlib.aclosing(chunks):  # type: ignore[type-var]
                async for chunk in chunks:
                    self._take(chunk, kept if self._at < size else None)
                    if self._at >= size or kept is None:
                        yield
                    if self._at >= size and not follow:
                        break
            running = follow and (await jobs.state(shell, self.job)).running
        self._waiting.extend(self._reader.feed(b"", final=True))
        yield

    @property
    def _at(self) -> int:
        return self.offset or 0

    def _begin(self, size: int, tail: int | None) -> int | None:
        """Where to read from, the first time; how many lines of what is there are told (None: all)."""
        if self.offset is not None or tail is None:
            self.offset = self._at
            return None
        self.offset = max(0, size - max(LEAST_READ, tail * LINE_BYTES))
        self._torn = self.offset > 0
        return tail

    def _take(self, chunk: bytes, kept: int | None) -> None:
        self.offset = self._at + len(chunk)
        lines = self._reader.feed(chunk)
        if self._torn and lines:
            lines, self._torn = lines[1:], False
        self._waiting.extend(lines)
        while kept is not None and len(self._waiting) > kept:
            self._waiting.popleft()


@dataclass
class CommandLog:
    """A log that a command on the node prints: the kernel's, or Ray's in the container."""

    node: str
    name: str
    container: str = ""
    since: str = field(default="")
    """The time of the newest line that was told."""

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; what was told is known by its time, and what follows it."""
        from sparkconsole.remote.follow import followed, kernel_argv, ray_argv

        asked = 1000 if tail is None else tail
        if self.name == "ray":
            argv = ray_argv(self.container, follow=follow, tail=asked)
        else:
            argv = kernel_argv(follow=follow, tail=asked)
        left, file, known = self.since, "", False
        async for line in followed(await fleet.shell(self.node), argv):
            if header := _FILE.match(line):
                file = f"{header[1]}: "
                continue
            time, text = stamped(line)
            known = time <= left if time else known
            if left and known:
                continue
            yield time, file + text
            self.since = max(self.since, time)


def stamped(line: str) -> Stamped:
    """The time at a line's beginning, in ISO 8601, and the rest; no time: the whole line."""
    found = _DATED.match(line)
    if found is None:
        return "", line
    time = found[1].replace(",", ".").replace(" ", "T")
    return time, line[found.end() :]
