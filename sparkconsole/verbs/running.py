"""A deed carried out with the journal's record of it: what was shown is kept, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sparkconsole.errors import Cancelled, SparkError, Unreachable
from sparkconsole.model.answer import Answer
from sparkconsole.model.job import JobKind, Run, RunState
from sparkconsole.model.plan import Plan
from sparkconsole.model.progress import News, Output, Remark, Report, StepEnded
from sparkconsole.verbs.session import Deed, Session

UNSEEN = 5
"""The exit code of what was done or not: nobody could see which."""


async def carry(session: Session, words: Sequence[str], deed: Deed, report: Report) -> Answer:
    """Carries the deed out as a run of the journal; its answer. Errors and cancelling are written down too.

    A run whose jobs could not be asked, or whose person let go, stays open: `runs attach` finds its end.
    """
    said = deed.words or words
    session.run = began = session.journal.begin(said, session.cluster.name, deed.plan.as_data())
    _tell_fault(session, report)
    steps: dict[str, str] = {}
    keep = _keeping(session, report, steps)
    try:
        answer = await deed.carry(keep)
    except asyncio.CancelledError:
        _left(session, session.run or began, report)
        raise
    except SparkError as error:
        _failed(session, session.run or began, error, report)
        raise
    state = ended_as(answer.exit_code)
    told = replace(
        answer, data={"state": state.value, "steps": _stand(deed.plan, steps, state), **answer.data}
    )
    session.journal.end(session.run or began, state, answer.exit_code, outcome=dict(answer.data))
    _tell_fault(session, report)
    return told


def _stand(plan: Plan, steps: Mapping[str, str], state: RunState) -> dict[str, str]:
    """What a run that is done had started or sent is done with it; a server and its guards run on."""
    jobs = {step.id: step.job.kind for step in plan.steps if step.job}
    lasting = {step for step, kind in jobs.items() if kind in (JobKind.SERVE, JobKind.GUARD)}
    over = state is RunState.DONE
    return {
        step: "done" if over and word in ("started", "sent") and step not in lasting else word
        for step, word in steps.items()
    }


def ended_as(exit_code: int) -> RunState:
    """What an answer's exit code says of its run: a node that could not be asked leaves it unknown."""
    if exit_code in (Unreachable.exit_code, UNSEEN):
        return RunState.UNKNOWN
    return RunState.DONE if exit_code == 0 else RunState.FAILED


def _tell_fault(session: Session, report: Report) -> None:
    """What cannot be written down is done and said all the same: the record is never in the way."""
    if why := session.journal.fault():
        report(Remark(f"{why}; this goes on without a record", level="warning"))


def _keeping(session: Session, report: Report, steps: dict[str, str]) -> Report:
    """Everything that is shown is kept, but for the progress bars; `steps` gets how each stands."""

    def keep(news: News) -> None:
        if isinstance(news, StepEnded):
            steps[news.outcome.step.id] = news.outcome.word
        if session.run is not None and (line := kept(news)):
            session.journal.append_output(session.run, line)
        report(news)

    return keep


def kept(news: News) -> str:
    """The line of news as the journal keeps it; empty for what it does not."""
    match news:
        case Output(node, line) | Remark(line, node):
            return f"{node} {line}".strip()
        case StepEnded(outcome):
            mark = outcome.word if outcome.ok else f"failed: {outcome.detail}"
            return f"{outcome.step.node} {outcome.step.sentence}: {mark}"
    return ""


def _failed(session: Session, run: Run, error: SparkError, report: Report) -> None:
    """A run whose jobs could not be asked stays open: unknown is not failed."""
    if isinstance(error, Unreachable) and run.jobs:
        report(Remark(f"its jobs may go on: sparkconsole runs attach {run.id}"))
        return
    session.journal.end(run, RunState.FAILED, error.exit_code, error=dict(error.as_data()))
    _tell_fault(session, report)


def _left(session: Session, run: Run, report: Report) -> None:
    """The person let go: detached jobs go on and are named, anything else is over."""
    if run.jobs:
        report(Remark(f"left running: sparkconsole runs attach {run.id}, or runs stop {run.id}"))
        return
    session.journal.end(run, RunState.CANCELLED, Cancelled.exit_code)
    _tell_fault(session, report)
