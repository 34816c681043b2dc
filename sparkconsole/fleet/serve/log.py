"""The log of a rank on its node: followed as long as it runs, or read as it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import follow_job, job_file, job_state
from sparkconsole.model.work.job import Job
from sparkconsole.parse.serve.serve_log import ServeLogReader

LONG = 2 << 20
HEAD, TAIL = 512 << 10, 256 << 10
"""Bytes: from where on a log is long, and what is followed of such a one."""
READ = 1 << 20
"""Bytes of its end that are looked at."""


async def follow(
    fleet: Fleet, job: Job, log: ServeLogReader, *, bounded: bool = False
) -> AsyncGenerator[str, None]:
    """Feeds `log` until the job ended; `bounded`: of one that has grown long, its beginning and its end."""
    size = (await job_state(fleet, job)).log_bytes if bounded else 0
    for offset, most in ((0, HEAD), (size - TAIL, None)) if size > LONG else ((0, None),):
        read, torn = 0, offset > 0
        async with aclosing(follow_job(fleet, job, offset=offset)) as lines:
            async for line in lines:
                if torn:
                    torn = False  # its beginning is not here: what it quotes could look like its own
                    continue
                log.feed(line)
                yield line
                read += len(line) + 1
                if most is not None and read > most:
                    break


async def log_lines(fleet: Fleet, job: Job) -> list[str]:
    """All that a rank said so far."""
    return (await job_file(fleet, job, "log")).decode("utf-8", "replace").splitlines()


async def last_lines(fleet: Fleet, job: Job) -> list[str]:
    """Whole lines of its end: what is left of one that was cut could look like the program's own."""
    output = await job_file(fleet, job, "log", READ)
    lines = output.decode("utf-8", "replace").splitlines()
    return lines[1:] if len(output) >= READ else lines
