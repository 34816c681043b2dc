"""One receiver of a copy as it was found before anything was done, and how the payload travels to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sparkconsole.errors import SparkError
from sparkconsole.model.cluster import Node
from sparkconsole.model.transfer.ends import Receiver
from sparkconsole.model.work.job import Job


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
