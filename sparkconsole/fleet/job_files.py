"""What goes into a job's folder on its node before the job starts, read back there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sparkconsole.fleet.tar import files_of
from sparkconsole.model.work.job import Job
from sparkconsole.model.work.plan import Step, Verification
from sparkconsole.remote import jobs as remote_jobs


def text_step(step: str, job: Job, name: str, text: str, sentence: str, needs: Sequence[str] = ()) -> Step:
    """A text becomes the file `name`; its hash is compared."""
    wanted = hashlib.sha256(text.encode()).hexdigest()
    holds = remote_jobs.script(remote_jobs.HOLDS, "job-holds", job.id, name)
    return Step(
        id=step,
        node=job.node,
        sentence=sentence,
        argv=remote_jobs.script(remote_jobs.PUT, "job-put", job.id, name),
        stdin=text,
        needs=tuple(needs),
        undo=remote_jobs.script(remote_jobs.FORGET, "job-forget", job.id),
        verify=Verification(f"{name} arrived whole", holds, expect=wanted),
    )


def folder_step(
    step: str, job: Job, name: str, folder: str | Path, sentence: str, needs: Sequence[str] = ()
) -> Step:
    """A folder of this machine is unpacked as `name`; its files are counted."""
    unpacked = remote_jobs.script(remote_jobs.UNPACKED, "job-unpacked", job.id, name)
    return Step(
        id=step,
        node=job.node,
        sentence=sentence,
        argv=remote_jobs.script(remote_jobs.UNPACK, "job-unpack", job.id, name),
        folder=str(folder),
        needs=tuple(needs),
        undo=remote_jobs.script(remote_jobs.FORGET, "job-forget", job.id),
        verify=Verification("every file of it arrived", unpacked, expect=str(len(files_of(Path(folder))))),
    )
