"""Jobs outlive the console; runs are the journal's record of what was asked and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from sparkconsole.model.cluster import RESERVED_NAMES
from sparkconsole.model.text.units import in_every_zone


class JobKind(StrEnum):
    """What a job does; each kind has one follower that knows how to end it."""

    BUILD = "build"
    COPY = "copy"
    SERVE = "serve"
    BENCH = "bench"
    MODEL_COPY = "model-copy"
    DOWNLOAD = "download"
    GUARD = "guard"


class Job(BaseModel):
    """One detached command on one node. With this value alone it can be found, followed and ended again."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    id: str
    """Unique, safe in a path: it is the job's folder on the node."""
    node: str
    kind: JobKind
    argv: tuple[str, ...]
    """The command itself (inside `container` when that is set)."""
    container: str = ""
    """Set: the command runs in this container, and is ended there."""
    workdir: str = ""
    """Folder on the node in which the command runs; empty: the job's own folder."""
    details: dict[str, Any] = {}
    """What its follower needs to bring it to its end: image tag, model, port, …"""

    @property
    def rank(self) -> int:
        """Of the ranks of a server; 0: the one that answers."""
        return int(self.details.get("rank", 0))

    def serves(self, port: int) -> bool:
        """A rank of a server on that port."""
        return self.kind is JobKind.SERVE and self.details.get("port") == port

    @field_validator("details")
    @classmethod
    def _details(cls, details: dict[str, Any]) -> dict[str, Any]:
        if not all(isinstance(details.get(key, 0), int) for key in ("rank", "port")):
            raise ValueError("its rank and port are numbers")
        return details

    @property
    def port(self) -> int | None:
        """Of a server's: where it answers."""
        return self.details.get("port")

    @property
    def served_name(self) -> str:
        """Of a server's: the name under which it answers."""
        return str(self.details.get("name", ""))


class JobState(BaseModel):
    """What the node says about a job, read back just now."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    known: bool
    """The node has a folder of that job."""
    running: bool = False
    status: int | None = None
    """Exit status once it ended; None while it runs, or when it was killed before it could say."""
    log_bytes: int = 0


class RunState(StrEnum):
    """How a run stands.

    DONE: what it was for was read back. UNKNOWN: its console is gone and its nodes have not been asked yet,
    or a node of it could not be asked.
    """

    RUNNING = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def open(self) -> bool:
        """Nobody saw it end."""
        return self in (RunState.RUNNING, RunState.UNKNOWN)

    @classmethod
    def _missing_(cls, value: object) -> RunState | None:
        """As journals of older versions have it."""
        return cls.RUNNING if value == "running" else None


class ConsoleProcess(BaseModel):
    """The process that minds a run. Machine, process id and birth together are never used twice."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    host: str = ""
    pid: int = 0
    born: str = ""
    """When the process started, as its system says it; empty where the system does not."""


def _of_the_calendar(at: datetime) -> datetime:
    if not in_every_zone(at):
        raise ValueError("is no time at which anybody worked")
    return at


Moment = Annotated[AwareDatetime, AfterValidator(_of_the_calendar)]
"""A time of a person's work."""


class NodeMark(BaseModel):
    """What a console leaves on a node while it changes it: who, and what they do."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    run: str = Field(pattern=r"^[0-9a-z-]{1,80}$")
    """Its id in the journal of who wrote it."""
    verb: str
    who: str
    """`anna@laptop`"""
    since: Moment
    node: str = ""
    gone: bool = False
    """The connection that wrote it is seen to be closed."""


class Run(BaseModel):
    """One entry of the journal: words, plan, jobs, result. Secrets are `***` before they come here."""

    id: str
    words: tuple[str, ...]
    cluster: str = ""
    started: Moment
    ended: Moment | None = None
    state: RunState = RunState.RUNNING
    exit_code: int | None = None
    plan: dict[str, Any] = {}
    jobs: tuple[Job, ...] = ()
    outcome: dict[str, Any] = {}
    error: dict[str, Any] = {}
    ended_by: dict[str, Any] = {}
    """The action of ours that ends what it started (foresight.own_actions): before it does; empty: none."""
    console: ConsoleProcess = ConsoleProcess()
    """Who minds it; when that process is gone and the run has no end, how it stands is unknown."""

    @property
    def verb(self) -> str:
        """`launch`, `node exec`, `serve M`: what was done, in at most two words."""
        words = [word for word in self.words[:2] if not word.startswith("-")]
        alone = not words or words[0] not in ("image", "bench", "node", "model", "serve", "runs")
        return " ".join(words[:1] if alone else words)[:60]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every node that it was to change, or on which a job of it is."""
        names = [*(step.get("node") for step in self.plan.get("steps", ())), *self.plan.get("marked", ())]
        names += [job.node for job in self.jobs]
        return tuple(dict.fromkeys(str(n) for n in names if n and n not in RESERVED_NAMES))

    @field_validator("plan")
    @classmethod
    def _a_plan(cls, plan: dict[str, Any]) -> dict[str, Any]:
        """Readers take the shape for granted: an entry that has another is foreign."""
        steps = plan.get("steps", [])
        if not isinstance(steps, list) or not all(map(_is_step, steps)):
            raise ValueError("its plan has no list of steps")
        if not isinstance(plan.get("notes", []), list) or not isinstance(plan.get("title", ""), str):
            raise ValueError("its plan has no title and notes")
        return plan

    @field_validator("outcome")
    @classmethod
    def _an_outcome(cls, outcome: dict[str, Any]) -> dict[str, Any]:
        if not all(isinstance(outcome.get(key) or {}, dict) for key in ("spec", "server")):
            raise ValueError("its outcome is no result of ours")
        return outcome


def _is_step(step: object) -> bool:
    if not isinstance(step, dict) or not isinstance(step.get("argv", []), list):
        return False
    return all(isinstance(step.get(key, ""), str) for key in ("node", "sentence"))
