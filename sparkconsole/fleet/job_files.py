"""What goes into a job's folder on its node before the job starts, read back there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sparkconsole.fleet.tar import files_of
from sparkconsole.model.work.job import Job
from sparkconsole.model.work.plan import Step, Verification
from sparkconsole.remote import jobs


def text_step(step: str, job: Job, name: str, text: str, sentence: str, needs: Sequence[str] = ()) -> Step:
    """A text becomes the file `name`; its hash is compared."""
    put = jobs.script(jobs.PUT, "job-put", job.id, name)
    wanted = hashlib.sha256(text.encode()).hexdigest()
    holds = jobs.script(jobs.HOLDS, "job-holds", job.id, name)
    proof = Verification(f"{name} arrived whole", holds, expect=wanted)
    return Step(step, job.node, sentence, put, tuple(needs), _undo(job), proof, stdin=text)


def folder_step(
    step: str, job: Job, name: str, folder: str | Path, sentence: str, needs: Sequence[str] = ()
) -> Step:
    """A folder of this machine is unpacked as `name`; its files are counted."""
    unpack = jobs.script(jobs.UNPACK, "job-unpack", job.id, name)
    unpacked = jobs.script(jobs.UNPACKED, "job-unpacked", job.id, name)
    proof = Verification("every file of it arrived", unpacked, expect=str(len(files_of(Path(folder)))))
    return Step(step, job.node, sentence, unpack, tuple(needs), _undo(job), proof, folder=str(folder))


def _undo(job: Job) -> tuple[str, ...]:
    return jobs.script(jobs.FORGET, "job-forget", job.id)
