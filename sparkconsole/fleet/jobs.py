"""Jobs seen from the console: started once, followed across lost connections, ended for certain.

The steps put into a job's folder on its node what it needs before it starts, and read it back there.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sparkconsole.errors import TimedOut, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.tar import files_of
from sparkconsole.fleet.waiting import until, waiting
from sparkconsole.model.work.job import Job, JobState
from sparkconsole.model.work.plan import Step, Verification
from sparkconsole.remote import jobs as remote
from sparkconsole.remote.lines import LineReader

_PAUSE_S = 1.0
RECONNECT_FOR_S = 600.0
"""How long a followed job waits for its node to come back before the follower gives up."""
LINK_S = 60.0
"""The same of a start: launched containers and ranks do not wait for each other for ever."""


async def start_job(fleet: Fleet, job: Job, *, secrets: Mapping[str, str] | None = None) -> None:
    """Starts a job on its node; it then needs neither the connection nor the console."""
    await remote.start(await fleet.shell(job.node), job, secrets or {})


async def follow_job(fleet: Fleet, job: Job, *, offset: int = 0) -> AsyncGenerator[str, None]:
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
        except Unreachable as error:
            await reconnected(fleet, job.node, error.cause)
    for line in reader.feed(b"", final=True):
        yield line


async def persistently(fleet: Fleet, look: Callable[[], Awaitable[None]]) -> None:
    """Looks at what is there; a node that is lost or silent meanwhile is waited for as long as a job's is."""
    end, at_last, silent = fleet.clock.monotonic() + RECONNECT_FOR_S, until(RECONNECT_FOR_S), dict[str, str]()

    def still(_: float) -> Iterator[tuple[str, str]]:
        return ((node, f"{why}; it is asked again until {at_last}") for node, why in silent.items())

    async with waiting(still):
        while True:
            try:
                return await look()
            except (Unreachable, TimedOut) as error:
                if not error.node or fleet.clock.monotonic() > end:
                    raise
                silent = {error.node: error.cause} if isinstance(error, TimedOut) else {}
                if not silent:
                    await reconnected(fleet, error.node, error.cause)
                await fleet.clock.sleep(_PAUSE_S)


async def reconnected(fleet: Fleet, node: str, cause: str, within_s: float = RECONNECT_FOR_S) -> None:
    """Waits for the node, and says so: what runs there detached goes on meanwhile."""
    end = until(within_s)

    def lost(seconds: float) -> Iterator[tuple[str, str]]:
        since = f" {seconds:.0f} s ago" if seconds >= 1 else ""
        yield node, f"{cause}{since}; it is waited for until {end}, and what runs there goes on"

    async with waiting(lost, first_s=0.0):
        await fleet.reconnect(node, within_s)


async def job_state(fleet: Fleet, job: Job) -> JobState:
    """What the job's node says of it right now; Unreachable when the node cannot be asked."""
    return await remote.state(await fleet.shell(job.node), job)


async def cancel_job(fleet: Fleet, job: Job) -> None:
    """Ends the job's processes, all of them, and reads back that they are gone."""
    await remote.cancel(await fleet.shell(job.node), job)


async def forget_job(fleet: Fleet, job: Job) -> None:
    """Removes what the job left on its node."""
    await remote.forget(await fleet.shell(job.node), job)


async def job_file(fleet: Fleet, job: Job, name: str, last: int | None = None) -> bytes:
    """A file that the job wrote into its folder (`$JOB_DIR`), or so many bytes of its end."""
    return await remote.read(await fleet.shell(job.node), job, name, last)


def text_step(step: str, job: Job, name: str, text: str, sentence: str, needs: Sequence[str] = ()) -> Step:
    """A text becomes the file `name`; its hash is compared."""
    put = remote.script(remote.PUT, "job-put", job.id, name)
    wanted = hashlib.sha256(text.encode()).hexdigest()
    holds = remote.script(remote.HOLDS, "job-holds", job.id, name)
    proof = Verification(f"{name} arrived whole", holds, expect=wanted)
    return Step(step, job.node, sentence, put, tuple(needs), _undo(job), proof, stdin=text)


def folder_step(
    step: str, job: Job, name: str, folder: str | Path, sentence: str, needs: Sequence[str] = ()
) -> Step:
    """A folder of this machine is unpacked as `name`; its files are counted."""
    unpack = remote.script(remote.UNPACK, "job-unpack", job.id, name)
    unpacked = remote.script(remote.UNPACKED, "job-unpacked", job.id, name)
    proof = Verification("every file of it arrived", unpacked, expect=str(len(files_of(Path(folder)))))
    return Step(step, job.node, sentence, unpack, tuple(needs), _undo(job), proof, folder=str(folder))


def _undo(job: Job) -> tuple[str, ...]:
    return remote.script(remote.FORGET, "job-forget", job.id)
