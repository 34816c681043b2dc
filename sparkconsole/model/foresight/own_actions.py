"""What a console of ours does to nodes, containers, servers and jobs: what ends by it is no fault.

Written into the journal with the run before anything is done: every console of this account knows it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sparkconsole.model.foresight.effect import ContainerGone, ContainerStarted, Effect, JobEnded, Rebooted
from sparkconsole.model.text.redact import redact_words
from sparkconsole.model.text.units import moment
from sparkconsole.model.work.job import ConsoleProcess, Job, JobKind, Run


class Touch(StrEnum):
    """What an action ends."""

    NODE = "node"
    CONTAINER = "container"
    SERVER = "server"
    JOB = "job"


Names = Collection[str]
COPIES = (JobKind.COPY, JobKind.MODEL_COPY)
"""Jobs with a node at their other end."""
IN_CONTAINER = frozenset((JobKind.BENCH, JobKind.SERVE, JobKind.GUARD))
"""Jobs that end with the container they run in, and with the server they are of."""


def touched(effects: Iterable[Effect], empty: Names = (), serving: Names = ()) -> tuple[tuple[str, str], ...]:
    """What these effects end, each with its node's name, or the job's.

    `empty`: nodes where no container runs; `serving`: `node:port` of each rank of a server that ends.
    """
    found = [(Touch.SERVER, where) for where in serving]
    for effect in effects:
        match effect:
            case Rebooted(node):
                found += [(Touch.NODE, node), (Touch.CONTAINER, node)]
            case ContainerGone(node=node) | ContainerStarted(node=node) if node not in empty:
                found.append((Touch.CONTAINER, node))
            case JobEnded(job=job):
                found.append((Touch.JOB, job))
    return tuple(dict.fromkeys((str(what), name) for what, name in found))


def ends_job(touches: Iterable[tuple[str, str]], job: Job) -> bool:
    """The job does not outlive that."""
    ends = {(Touch.JOB, job.id), (Touch.NODE, job.node)}
    if job.kind in IN_CONTAINER:
        ends |= {(Touch.CONTAINER, job.node)} if job.container else set()
        # Of the server that it is, or that it asks.
        port = job.details.get("port") or (job.details.get("spec") or {}).get("port")
        ends.add((Touch.SERVER, f"{job.node}:{port}"))
    return not ends.isdisjoint(touches)


def ends_run(touches: Iterable[tuple[str, str]], run: Run) -> bool:
    """Something that is under way there does not outlive it: a job, a copy's other end, a step."""
    known = set(touches)
    down = {name for what, name in known if what == Touch.NODE}
    steps = () if run.jobs else run.plan.get("steps", ())
    return (
        any(ends_job(known, j) for j in run.jobs if j.kind not in (JobKind.SERVE, JobKind.GUARD))
        or any(j.details.get("host") in down for j in run.jobs if j.kind in COPIES)
        or any(step.get("node") in down for step in steps)
    )


@dataclass(frozen=True, slots=True)
class OwnAction:
    """A run of ours that ends something."""

    words: tuple[str, ...]
    at: datetime
    run: str
    console: ConsoleProcess

    def text(self, here: ConsoleProcess) -> str:
        """`node restart spark-02, by you at 12:03:04`; `here`: the console that tells it."""
        mine = (self.console.host, self.console.pid) == (here.host, here.pid)
        who = "you" if mine else f"another console ({self.console.host}, process {self.console.pid})"
        return f"{' '.join(self.words)}, by {who} at {self.at.astimezone():%H:%M:%S}"

    def as_data(self) -> dict[str, Any]:
        """As the journal keeps it with what it ended."""
        return {
            "words": list(self.words),
            "at": self.at.isoformat(),
            "run": self.run,
            "console": self.console.model_dump(mode="json"),
        }


def own_action(run: Run) -> OwnAction:
    """That run, as an action."""
    return OwnAction(redact_words(run.words), run.started, run.id, run.console)


def recalled_action(kept: Mapping[str, Any]) -> OwnAction | None:
    """From what the journal kept; None: nothing, or nothing that can be read."""
    try:
        words, at = tuple(map(str, kept["words"])), moment(kept["at"])
        console = ConsoleProcess.model_validate(kept["console"])
        return OwnAction(words, at, str(kept["run"]), console) if at else None
    except (KeyError, TypeError, ValueError):
        return None
