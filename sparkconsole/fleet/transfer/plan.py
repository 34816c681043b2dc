"""Copies as a plan: each receiver as it was found, and how the payload travels to it; the files that its job
needs, then the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from sparkconsole.errors import SparkError
from sparkconsole.fleet.jobs import folder_step, text_step
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.model.cluster import Node
from sparkconsole.model.image.build import slug
from sparkconsole.model.transfer.ends import PROGRAMS, Receiver, known_hosts
from sparkconsole.model.work.answer import Sheet
from sparkconsole.model.work.consequences import Moves
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.plan import Plan, Step


class Transfer(Protocol):
    """One way to copy: decided on the console, carried out by a detached job in its folder on the sender."""

    @property
    def sentence(self) -> str:
        """What it does, for the plan."""

    @property
    def folder(self) -> str:
        """A folder of this machine that the job needs as `programs`; empty for none."""

    @property
    def program(self) -> str:
        """What the program in that folder moves."""

    def files(self, receiver: Receiver) -> Mapping[str, str]:
        """What the job's folder must have beside the host keys before the job starts: names and text."""

    def argv(self, name: str, receiver: Receiver) -> tuple[str, ...]:
        """The job that copies what has that name."""


@dataclass(frozen=True, slots=True)
class CopyTask:
    """One receiver, as it was found before anything was done."""

    node: Node
    receiver: Receiver
    same: bool = False
    """It has all of it already."""
    problem: SparkError | None = None
    """Why nothing can be sent to it."""
    warning: str = ""
    job: Job | None = None
    bytes_total: int | None = None
    """What will travel; None: that is not known yet."""
    transfer: Transfer | None = None
    """None: nothing is sent."""

    @property
    def to_send(self) -> bool:
        """Something has to be done for it."""
        return not self.same and self.problem is None

    @property
    def way(self) -> str:
        """How it travels, for the plan."""
        return self.transfer.sentence if self.transfer else ""

    @property
    def end(self) -> Mapping[str, Any]:
        """What a job's details say of its receiver; `receiver_of` reads it."""
        receiver = self.receiver
        return {
            "host": receiver.name,
            "receiver": self.node.model_dump(mode="json", exclude_none=True),
            "target": receiver.target,
            "port": receiver.port,
        }


Task = TypeVar("Task", bound=CopyTask)
"""One of a payload's own kind."""


def receiver_of(job: Job) -> Receiver:
    """Where a copy's job sends, as far as its details say it."""
    login, _, address = str(job.details["target"]).rpartition("@")
    return Receiver(str(job.details["host"]), address, login, int(job.details["port"]))


def copied_name(details: Mapping[str, Any]) -> str:
    """What a job with these details copies."""
    return str(details.get("tag") or details["model"])


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
