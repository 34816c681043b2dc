"""Copies as a plan: per receiver the files that its job needs, then the job; what is known of each before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sparkconsole.fleet.job_files import folder_step, text_step
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.transfer.task import CopyTask, Task, copied_name
from sparkconsole.model.image.build import slug
from sparkconsole.model.transfer.ends import PROGRAMS, known_hosts
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.plan import Plan, Step


def with_job(
    task: Task, kind: JobKind, sender: str, fresh: Fresh, named: Mapping[str, Any], more: Mapping[str, Any]
) -> Task:
    """The task with the job that carries it out, where something is to be sent; `named`: what is copied."""
    if not task.to_send or task.transfer is None:
        return task
    copied, details = copied_name(named), {**named, **task.end, **more}
    argv, name = task.transfer.argv(copied, task.receiver), fresh.name(f"{kind.value}-{slug(copied)}")
    return replace(task, job=Job(id=name, node=sender, kind=kind, argv=argv, details=details))


def copy_steps(task: CopyTask, needs: tuple[str, ...] = ()) -> tuple[Step, ...]:
    """The files that the copy needs go into its folder on the sender, then it runs there."""
    job, transfer, host = task.job, task.transfer, task.receiver.name
    if job is None or transfer is None:
        return ()
    keys = f"give the sender the verified host keys of {host}"
    texts = [("known_hosts", known_hosts(task.receiver), keys)]
    texts += [(n, t, f"say what goes to {host}") for n, t in transfer.files(task.receiver).items()]
    files = tuple(text_step(f"{name}-{host}", job, name, text, why, needs) for name, text, why in texts)
    if transfer.folder:
        files += (program_step(f"programs-{host}", job, transfer.folder, transfer.program, needs),)
    copies = f"copy {copied_name(job.details)} to {task.receiver.target} ({task.way})"
    after = tuple(s.id for s in files) or needs
    return (*files, Step(f"copy-{host}", job.node, copies, job.argv, after, job=job))


def program_step(step: str, job: Job, folder: str, moves: str, needs: Sequence[str] = ()) -> Step:
    """The program that the job runs goes into its folder."""
    text = f"send the program that moves {moves} (python3, standard library only)"
    return folder_step(step, job, PROGRAMS, folder, text, needs)


def receiver_notes(tasks: Sequence[CopyTask], same: str) -> tuple[str, ...]:
    """Who has it (`same` says of what), who cannot get it, what is slow."""
    notes = [f"{t.receiver.name} has {same} already" for t in tasks if t.same]
    notes += [f"cannot copy to {t.receiver.name}: {t.problem.cause}" for t in tasks if t.problem]
    return (*notes, *(f"warning: {t.warning}" for t in tasks if t.warning and t.to_send))


def copy_moves(tasks: Sequence[CopyTask], noun: str, through: str = "") -> Moves | None:
    """How much goes to whom; None: nobody gets anything."""
    sent = [t for t in tasks if t.to_send]
    known = [t.bytes_total for t in sent if t.bytes_total is not None]
    names = ", ".join(t.receiver.name for t in sent)
    total = sum(known) if len(known) == len(sent) else None
    return Moves(f"of the {noun} to {names}{through}", total) if sent else None


def plan_of(
    tasks: Sequence[CopyTask],
    name: str,
    sender: str,
    noun: str,
    notes: Sequence[str],
    table: Sheet | None = None,
) -> Plan:
    """The copies by detached jobs on the sender."""
    steps = tuple(step for task in tasks for step in copy_steps(task))
    moves = copy_moves(tasks, noun)
    return Plan(f"Copy {name} from {sender}", steps, notes=tuple(notes), table=table, moves=moves)
