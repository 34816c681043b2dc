"""Where logs come from. A source can be left and taken up again where it was: nothing twice, nothing lost."""

from __future__ import annotations

import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from sparkconsole.errors import Absent, SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.docker import Container
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.parse.serve.vllm_serve import is_own_poll
from sparkconsole.remote.lines import LineReader
from sparkconsole.remote.shell import Shell

Stamped = tuple[str, str]
"""The time of a line in ISO 8601, empty where it has none, and its text."""
LINE_BYTES, LEAST_READ, FARTHEST_READ = 512, 65536, 16 << 20
"""So far before its end a job's output is read for its last lines: for each, at least, and at most."""
AGAIN_LINES = 10_000
"""Lines before now that are looked through for what came while a command's log could not be read."""
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

    @property
    def key(self) -> str:
        """Another one is another log; the same one is the same log, wherever it was left."""

    @property
    def ends(self) -> bool:
        """Nothing follows its end: a job's output, but not a container's, which may start anew."""

    def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """Its lines from where it was left; SparkError when there is no such log now."""


@dataclass
class LogPlace:
    """Where a log was left: the time of the newest line that was told, and how many lines of it were."""

    newest: str = ""
    count: int = 0

    def met(self, time: str) -> bool:
        """A line of that time was told before: those of the newest are counted off."""
        again = time == self.newest and self.count > 0
        self.count -= again
        return again or time < self.newest

    def note(self, time: str) -> None:
        """A line of that time is told now."""
        if time >= self.newest:
            self.newest, self.count = time, self.count + bool(time) if time == self.newest else 1


@dataclass
class ContainerLog:
    """What a container's own process printed, as the engine keeps it."""

    node: str
    container: str
    name: str = "container"
    newer: str | None = None
    """Only what came after this time was asked for."""
    _place: LogPlace = field(default_factory=LogPlace)
    _of: str = ""
    """The id of the container that told it."""
    ends = False

    @property
    def key(self) -> str:
        """See `Source`."""
        return f"container {self.node} {self.container}"

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; the engine stamps every line."""
        from sparkconsole.remote.docker.engine import container_log

        shell = await fleet.shell(self.node)
        found = await _there(shell, self.container)
        if found.id != self._of:
            # A new container of the same name begins at its beginning, whatever its node's clock says.
            self.newer, tail = (self.newer, tail) if not self._of else (None, None)
            self._place, self._of = LogPlace(), found.id
        left = replace(self._place)
        since, least = left.newest or self.newer, None if left.newest else tail
        printed = container_log(shell, self.container, follow=follow, since=since, tail=least)
        async with contextlib.aclosing(printed) as lines:  # type: ignore[type-var]
            async for time, line in lines:
                if not left.met(time):
                    yield time, line
                    self._place.note(time)


async def _there(shell: Shell, name: str) -> Container:
    """The container; Absent where there is none, SilentEngine where the engine does not say."""
    from sparkconsole.remote.docker.engine import container

    if found := await container(shell, name):
        return found
    cause = f"no container {name} here: nothing is launched"
    raise Absent(cause, hint="logs of earlier ones: sparkconsole runs list", node=shell.node)


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
    ends = True

    @property
    def key(self) -> str:
        """See `Source`."""
        return f"job {self.job.id}"

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

        state = await jobs.state(shell, self.job)
        if not state.known:
            if self.offset is not None:
                return  # ended and removed since it was left
            hint = "what was kept of it: sparkconsole runs show --output"
            raise SparkError(f"{self.job.id}: the node keeps no output of it", hint=hint, node=self.node)
        size, running = state.log_bytes, True
        if self.offset is None and tail is not None:
            await self._read_last(shell, size, tail)
            yield
        while running and (follow or self._at < size):
            chunks = jobs.output(shell, self.job, self._at)
            async with contextlib.aclosing(chunks):  # type: ignore[type-var]
                async for chunk in chunks:
                    self._take(chunk)
                    yield
                    if self._at >= size and not follow:
                        break
            running = follow and (await jobs.state(shell, self.job)).running
        self._waiting.extend(self._kept(self._reader.feed(b"", final=True)))
        yield

    @property
    def _at(self) -> int:
        return self.offset or 0

    async def _read_last(self, shell: Shell, size: int, tail: int) -> None:
        """The last lines of what there is now, from as far before its end as they take."""
        back, whole = max(LEAST_READ, tail * LINE_BYTES), False
        try:
            while not whole:
                begin = max(0, size - back)
                await self._read_between(shell, begin, size)
                whole = len(self._waiting) >= tail or begin == 0 or back >= FARTHEST_READ
                back *= 8
        finally:
            if not whole:
                self.offset = None  # what was cut off is read anew
        while len(self._waiting) > tail:
            self._waiting.popleft()

    async def _read_between(self, shell: Shell, begin: int, end: int) -> None:
        from sparkconsole.remote import jobs

        self.offset, self._torn = begin, begin > 0
        self._reader, self._waiting = LineReader(), deque()
        if begin == end:
            return
        async with contextlib.aclosing(jobs.output(shell, self.job, begin)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                self._take(chunk)
                if self._at >= end:
                    break

    def _take(self, chunk: bytes) -> None:
        self.offset = self._at + len(chunk)
        lines = self._reader.feed(chunk)
        if self._torn and lines:
            lines, self._torn = lines[1:], False
        self._waiting.extend(self._kept(lines))

    def _kept(self, lines: list[str]) -> list[str]:
        if self.job.kind is not JobKind.SERVE:
            return lines
        return [line for line in lines if not is_own_poll(line)]


@dataclass
class CommandLog:
    """A log that a command on the node prints: the kernel's, or Ray's in the container."""

    node: str
    name: str
    container: str = ""
    _places: dict[str, LogPlace] = field(default_factory=dict)
    """By file."""
    ends = False

    @property
    def key(self) -> str:
        """See `Source`."""
        return f"{self.name} {self.node} {self.container}"

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; what was told is known by its time, and what follows it."""
        from sparkconsole.remote.follow import followed, kernel_argv, ray_argv

        left = {file: replace(place) for file, place in self._places.items()}
        asked = AGAIN_LINES if left else 1000 if tail is None else tail
        kernel = kernel_argv(follow=follow, tail=asked)
        argv = ray_argv(self.container, follow=follow, tail=asked) if self.name == "ray" else kernel
        file, known = "", bool(left)
        shell = await fleet.shell(self.node)
        if self.name == "ray":
            await _there(shell, self.container)  # `docker exec` waits for a silent engine without end
        printed = followed(shell, argv)
        async with contextlib.aclosing(printed) as lines:  # type: ignore[type-var]
            async for line in lines:
                if header := _FILE.match(line):
                    file, known = f"{header[1]}: ", f"{header[1]}: " in left
                    continue
                time, text = stamped(line)
                known = left.get(file, LogPlace()).met(time) if time else known
                if not known:
                    yield time, file + text
                    self._places.setdefault(file, LogPlace()).note(time)


def stamped(line: str) -> Stamped:
    """The time at a line's beginning, in ISO 8601, and the rest; no time: the whole line."""
    found = _DATED.match(line)
    if found is None:
        return "", line
    time = found[1].replace(",", ".").replace(" ", "T")
    return time, line[found.end() :]
