"""The starts of a server that this journal knows, and what of ours ended the last one."""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.fleet.serve.status import ServerCondition, ServerStatus
from sparkconsole.fleet.watch.own_actions import ended_by
from sparkconsole.model.work.job import Job, Run
from sparkconsole.verbs.grammar.session import Session


def ranks_of(run: Run, port: int) -> tuple[Job, ...]:
    """The ranks that a run started on that port."""
    return tuple(j for j in run.jobs if j.serves(port))


def newest_start(session: Session, port: int) -> Run | None:
    """The newest start on that port."""
    return next((run for run in session.journal.newest() if ranks_of(run, port)), None)


def newest_ranks(session: Session, port: int) -> tuple[Job, ...]:
    """The ranks of the newest start on that port."""
    run = newest_start(session, port)
    return ranks_of(run, port) if run else ()


def explained(found: ServerStatus, run: Run | None) -> ServerStatus:
    """What a deed of ours ended has not failed."""
    by = ended_by(run) if run else ""
    if not by or found.state not in (ServerCondition.FAILED, ServerCondition.ABSENT, ServerCondition.LOST):
        return found
    if found.state is ServerCondition.FAILED:
        return replace(
            found, state=ServerCondition.ABSENT, detail=f"ended by {by}", node="", remedy="serve it again"
        )
    return replace(found, detail=f"{found.detail}; its last server was ended by {by}")
