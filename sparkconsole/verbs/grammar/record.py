"""A deed carried out with the journal's record of it: what was shown is kept, and how it ended."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from sparkconsole.errors import UNSEEN, Cancelled, SparkError, Stopped, Unreachable, in_short
from sparkconsole.fleet.marks import leave_marks, nodes_changed, remove_marks, still_marked
from sparkconsole.fleet.sweep import sweep_nodes
from sparkconsole.fleet.waiting import waits_reported_to
from sparkconsole.fleet.watch.own_actions import ended_by
from sparkconsole.model.foresight.own_actions import ends_job, ends_run, own_action, touched
from sparkconsole.model.text.redact import LineRedactor, redact_words
from sparkconsole.model.text.units import minutes_or_seconds
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import JobKind, Run, RunState
from sparkconsole.model.work.news import News, Output, Remark, Report, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan, PlanOutcome
from sparkconsole.verbs.grammar.session import PlannedAction, Session

UNRECORDED = "continuing without a record"
"""How a remark ends that says why a run could not be written down."""
MOST_RUNS = 200
"""So far back runs are looked for that a deed ends."""


async def execute_action(
    session: Session, words: Sequence[str], action: PlannedAction, report: Report
) -> Answer:
    """Carries the deed out as a run of the journal; its answer. Errors and cancelling are written down too.

    A run whose jobs could not be asked, or whose person let go, stays open: `runs attach` finds its end.
    """
    session.fleet.take_unended()  # an earlier action's own answer named that
    seen = action.plan.consequences
    touches = touched(action.effects, *((seen.empty, seen.serving) if seen else ()))
    nodes = list(nodes_changed(action.plan, action.effects))
    kept_plan = {**action.plan.as_data(), "touches": [list(each) for each in touches], "marked": nodes}
    session.run = run = session.journal.begin(action.words or words, session.cluster.name, kept_plan)
    session.marked = ()
    _report_fault(session, report)
    _mark(session, run, touches)
    steps: dict[str, str] = {}
    begun: set[tuple[str, str]] = set()
    try:
        keeping = _keeping(session, report, steps, begun)
        with waits_reported_to(lambda node, text: keeping(Remark(text, node, "warning"))):
            fleet, journal = session.fleet, session.journal
            session.marked = await leave_marks(fleet, journal, run, action.plan, action.effects, report)
            await _sweep(session, session.marked, report, engine=_asks_engine(action.plan))
            answer = await action.execute(keeping)
    except asyncio.CancelledError:
        # The person let go: detached jobs go on and are named, anything else is over.
        if _may_run(action.plan, session.own_run(), begun):
            attach = session.own_run().id
            report(Remark(f"left running: sparkconsole runs attach {attach}, or runs stop {attach}"))
        else:
            state = RunState.UNKNOWN if report_unended(session, report) else RunState.CANCELLED
            report(Remark("cancelled"))
            await _end(session, report, state, Cancelled.exit_code)
        raise
    except SparkError as error:
        if stopped := await _stopped(session, action, report):
            raise stopped from error
        # A run whose jobs could not be asked stays open: unknown is not failed.
        if isinstance(error, Unreachable) and _may_run(action.plan, session.own_run(), begun):
            report(Remark(f"its jobs may still be running: sparkconsole runs attach {session.own_run().id}"))
        else:
            code = error.exit_code
            await _end(session, report, ended_as(code), code, error=dict(error.as_data()))
        raise
    if answer.exit_code and (stopped := await _stopped(session, action, report, answer)):
        raise stopped
    state = state_of(answer)
    ends = {"state": state.value, "steps": _final_steps(action.plan, steps, state)}
    await _end(session, report, state, answer.exit_code, outcome=dict(answer.data))
    return replace(answer, data={**ends, **answer.data})


def require_done(outcome: PlanOutcome) -> None:
    """SparkError with the first step that did not succeed."""
    for end in outcome.failures():
        kind = Unreachable if end.unseen else SparkError
        raise kind(f"{end.step.sentence}: {end.detail}", node=end.step.node)


def _final_steps(plan: Plan, steps: Mapping[str, str], state: RunState) -> dict[str, str]:
    """What a run that is done had started or sent is done with it; a server and its guards run on."""
    jobs = {step.id: step.job.kind for step in plan.steps if step.job}
    lasting = {step for step, kind in jobs.items() if kind in (JobKind.SERVE, JobKind.GUARD)}
    over = state is RunState.DONE
    return {
        step: "done" if over and word in ("started", "sent") and step not in lasting else word
        for step, word in steps.items()
    }


def state_of(answer: Answer) -> RunState:
    """How the run of that answer stands."""
    return ended_as(min(answer.exit_code, 1) if answer.ended else answer.exit_code)


def ended_as(exit_code: int) -> RunState:
    """What an answer's exit code says of its run: a node that could not be asked leaves it unknown."""
    if exit_code in (Unreachable.exit_code, UNSEEN):
        return RunState.UNKNOWN
    return RunState.DONE if exit_code == 0 else RunState.FAILED


def _mark(session: Session, by: Run, touches: Sequence[tuple[str, str]]) -> None:
    """What it ends of other runs is written down there first: they end on purpose, whoever watches them."""
    if not touches:
        return
    for run in islice(session.journal.newest(), MOST_RUNS):
        if run.id != by.id and run.cluster == session.cluster.name and _ends(run, touches):
            session.journal.ends(run, own_action(by).as_data())


def _ends(run: Run, touches: Sequence[tuple[str, str]]) -> bool:
    """What is under way, and servers, which outlive the run that started them."""
    if run.state.open and ends_run(touches, run):
        return True
    serves = (run.state.open or run.state is RunState.DONE) and not run.ended_by
    return serves and any(ends_job(touches, j) for j in run.jobs if j.kind is JobKind.SERVE)


async def _stopped(
    session: Session, action: PlannedAction, report: Report, answer: Answer | None = None
) -> Stopped | None:
    """It was ended on purpose by another action of ours: that is no failure. None: nobody of us ended it."""
    kept = session.journal.again(session.own_run())
    by = ended_by(kept)
    if not by and kept.state is not RunState.CANCELLED:
        return None
    why = Stopped(f"{action.plan.title}: stopped" + (f" ({by})" if by else ""))
    outcome = dict(answer.data) if answer else {}
    await _end(session, report, RunState.CANCELLED, why.exit_code, outcome=outcome, error=dict(why.as_data()))
    return why


async def _end(session: Session, report: Report, state: RunState, code: int, **kept: dict[str, Any]) -> None:
    run = session.own_run()
    session.run = session.journal.end(run, state, code, **kept)
    # What nobody saw the end of is at work only where it left a job.
    if not (state is RunState.UNKNOWN and run.jobs) and not session.options.read_only:
        nodes = await remove_marks(session.fleet, run)
        session.marked = tuple(node for node in session.marked if node not in nodes)
        for node in session.marked:
            report(Remark(still_marked(run), node))
        if run.jobs and state in (RunState.DONE, RunState.FAILED):  # who is told to end does not wait for it
            await _sweep(session, nodes, report, engine=True)
    _report_fault(session, report)


async def _sweep(session: Session, nodes: Sequence[str], report: Report, *, engine: bool) -> None:
    """Only where the deed itself reached the node: a lost or silent one is not waited for again."""
    if nodes and not session.options.read_only:
        await sweep_nodes(session.fleet, session.journal, nodes, report, engine=engine)


def _asks_engine(plan: Plan) -> bool:
    return any(step.job or step.argv[:1] == ("docker",) for step in plan.steps)


def _report_fault(session: Session, report: Report) -> None:
    """What cannot be written down is done and said all the same: the record is never in the way."""
    if why := session.journal.fault():
        report(Remark(f"{why}; {UNRECORDED}", level="warning"))


def report_unended(session: Session, report: Report) -> bool:
    """Names what nobody saw end, if anything."""
    unended = session.fleet.take_unended()
    for node, argv, most_s in unended:
        words = in_short(redact_words(argv))
        most = f"; the node gives it {minutes_or_seconds(most_s)} in all" if most_s else ""
        report(Remark(f"{words} may still run: its end was not seen{most}", node, "warning"))
    return bool(unended)


def _keeping(session: Session, report: Report, steps: dict[str, str], begun: set[tuple[str, str]]) -> Report:
    """Everything that is shown is kept, but for the progress bars; a node's lines without their secrets.

    `steps` gets how each stands, `begun` the node and sentence of each that was begun.
    """

    hidden = defaultdict[str, LineRedactor](LineRedactor)

    def keep(heard: News) -> None:
        news = _on_purpose(session, heard)
        if isinstance(news, Output):
            news = replace(news, line=hidden[news.node](news.line))
        if isinstance(news, StepBegan):
            begun.add((news.node, news.sentence))
        if isinstance(news, StepEnded):
            steps[news.outcome.step.id] = news.outcome.word
        if session.run is not None and (line := kept(news)):
            session.journal.append_output(session.run, line)
        report(news)

    return keep


def _may_run(plan: Plan, run: Run, begun: set[tuple[str, str]]) -> bool:
    """Some job of it may be running: not one whose step never began, though it is written down already."""
    planned = {s.job.id: (s.node, s.sentence) for s in plan.steps if s.job}
    return any(planned.get(job.id) is None or planned[job.id] in begun for job in run.jobs)


def _on_purpose(session: Session, news: News) -> News:
    """What a deed of ours ends has not failed: asked only where something says that it has."""
    if not isinstance(news, Remark) or news.level != "error" or session.run is None:
        return news
    kept = session.journal.again(session.run)
    if not kept.ended_by and kept.state is not RunState.CANCELLED:
        return news
    return replace(news, level="info", text=news.text.replace(" failed: ", " stopped: ", 1))


def kept(news: News) -> str:
    """The line of news as the journal keeps it; empty for what it does not."""
    match news:
        case Output(node, line) | Remark(line, node):
            return f"{node} {line}".strip()
        case StepEnded(outcome):
            mark = outcome.word if outcome.ok else f"{outcome.word}: {outcome.detail}"
            return f"{outcome.step.node} {outcome.step.sentence}: {mark}"
    return ""
