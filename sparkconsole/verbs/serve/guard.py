"""What `serve --guard` adds to a start: a watcher on every node, and its word when the start fails."""

from __future__ import annotations

from sparkconsole.fleet.serve import memory_guards as guarding
from sparkconsole.fleet.serve import start as serving
from sparkconsole.model.serve.memory_guard import FREEZE_LINE
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import Job, JobKind, Run
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Step
from sparkconsole.verbs.grammar.registry import follower
from sparkconsole.verbs.grammar.session import Session

GIB = 1 << 30
LEAST_GIB = FREEZE_LINE / GIB


def guard_steps(watchers: tuple[Job, ...], gib: float) -> tuple[Step, ...]:
    """They begin with the ranks: memory is short while a model loads."""
    return tuple(
        Step(
            id=f"{job.id}-{job.node}",
            node=job.node,
            sentence=f"guard its memory: the server ends below {gib:g} GiB available",
            argv=("docker", "exec", job.container, *job.argv),
            job=job,
        )
        for job in watchers
    )


async def guarded_failure(
    session: Session, jobs: tuple[Job, ...], error: serving.ServeFailed, report: Report
) -> serving.ServeFailed:
    """A guard that ended it is the cause, whatever the ranks said of that."""
    lead = next(job for job in jobs if not job.rank)
    found = await guarding.fired(session.fleet, lead, session.fleet.names)
    await guarding.clear_guards(session.fleet, (lead,), session.fleet.names, report)
    return serving.ServeFailed(found.why, hint=guarding.REMEDY, node=found.node) if found else error


@follower(JobKind.GUARD)
async def follow_guard(session: Session, run: Run, job: Job, report: Report) -> Answer:
    """A guard lives as long as its server; there is nothing to wait for."""
    return Answer({"guard": job.node})
