"""Where logs come from. A source can be left and taken up again where it was: nothing twice, nothing lost."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import follow_job, job_file
from sparkconsole.model.job import Job

Stamped = tuple[str, str]
"""The time of a line in ISO 8601, empty where it has none, and its text."""
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
    since: str | None = None
    """Only what is newer."""

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; the engine stamps every line."""
        from sparkconsole.remote.docker import container as find
        from sparkconsole.remote.docker import container_log

        shell = await fleet.shell(self.node)
        if await find(shell, self.container) is None:
            raise SparkError(f"no container {self.container} here", node=self.node)
        left = self.since
        async for time, line in container_log(
            shell, self.container, follow=follow, since=left, tail=None if left else tail
        ):
            if left is not None and time <= left:
                continue
            self.since = time
            yield time, line


@dataclass
class JobLog:
    """What a job printed; a server's job is the server's log."""

    job: Job
    seen: int = 0
    """Lines that were told."""

    @property
    def node(self) -> str:
        """See `Source`."""
        return self.job.node

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.job.kind.value

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`."""
        if self.seen == 0:
            told = (await job_file(fleet, self.job, "log")).decode("utf-8", "replace").splitlines()
            kept = told[-tail:] if tail else told
            self.seen = len([line for line in told if line])
            for line in kept:
                yield "", line
        if not follow:
            return
        at = 0
        async for line in follow_job(fleet, self.job):
            at += 1
            if at > self.seen:
                self.seen = at
                yield "", line


@dataclass
class CommandLog:
    """A log that a command on the node prints: the kernel's, or Ray's in the container."""

    node: str
    name: str
    container: str = ""
    since: str = field(default="")
    """The time of the newest line that was told."""

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        """See `Source`; lines that were told before are told apart by their time."""
        from sparkconsole.remote.follow import followed, kernel_argv, ray_argv

        asked = 1000 if tail is None else tail
        if self.name == "ray":
            argv = ray_argv(self.container, follow=follow, tail=asked)
        else:
            argv = kernel_argv(follow=follow, tail=asked)
        left, file = self.since, ""
        async for line in followed(await fleet.shell(self.node), argv):
            if header := _FILE.match(line):
                file = f"{header[1]}: "
                continue
            time, text = stamped(line)
            if left and time and time <= left:
                continue
            self.since = max(self.since, time)
            yield time, file + text


def stamped(line: str) -> Stamped:
    """The time at a line's beginning, in ISO 8601, and the rest; no time: the whole line."""
    found = _DATED.match(line)
    if found is None:
        return "", line
    time = found[1].replace(",", ".").replace(" ", "T")
    return time, line[found.end() :]
