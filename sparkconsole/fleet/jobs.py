"""Jobs seen from the console: started once, followed across lost connections, ended for certain."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator, Mapping

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.job import Job, JobState
from sparkconsole.remote import jobs as remote

_LINE_END = re.compile(r"\r\n|\n|\r")
_LONGEST_LINE = 1 << 20
RECONNECT_FOR_S = 600.0
"""How long a followed job waits for its node to come back before the follower gives up."""


class LineReader:
    """Bytes in, whole lines out: UTF-8 with replacement; a carriage return ends a line (progress bars)."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """The lines that `chunk` completed; with `final` also the unfinished last one."""
        *lines, self._rest = _LINE_END.split(self._rest + self._decode(chunk, final))
        if final or len(self._rest) > _LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], ""
        return [line for line in lines if line]


async def start_job(fleet: Fleet, job: Job, *, secrets: Mapping[str, str] | None = None) -> None:
    """Starts a job on its node; it then needs neither the connection nor the console."""
    await remote.start(await fleet.shell(job.node), job, secrets or {})


async def follow_job(fleet: Fleet, job: Job, *, offset: int = 0) -> AsyncIterator[str]:
    """The job's output, line by line, until it ended; a lost connection is made again and nothing is lost."""
    reader = LineReader()
    while True:
        try:
            shell = await fleet.shell(job.node)
            async for chunk in remote.output(shell, job, offset):
                offset += len(chunk)
                for line in reader.feed(chunk):
                    yield line
            if not (await remote.state(shell, job)).running:
                break
        except Unreachable:
            await fleet.reconnect(job.node, RECONNECT_FOR_S)
    for line in reader.feed(b"", final=True):
        yield line


async def job_state(fleet: Fleet, job: Job) -> JobState:
    """What the job's node says of it right now; Unreachable when the node cannot be asked."""
    return await remote.state(await fleet.shell(job.node), job)


async def cancel_job(fleet: Fleet, job: Job) -> None:
    """Ends the job's processes, all of them, and reads back that they are gone."""
    await remote.cancel(await fleet.shell(job.node), job)


async def forget_job(fleet: Fleet, job: Job) -> None:
    """Removes what the job left on its node."""
    await remote.forget(await fleet.shell(job.node), job)


async def job_file(fleet: Fleet, job: Job, name: str) -> bytes:
    """A file that the job wrote into its folder (`$JOB_DIR`)."""
    return await remote.read(await fleet.shell(job.node), job, name)
