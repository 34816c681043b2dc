"""The journal as verbs: what was done, doing it again, and minding what outlived its console."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Annotated, Any

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, Unreachable, WrongUsage
from sparkconsole.fleet import jobs
from sparkconsole.fleet.marks import remove_marks
from sparkconsole.fleet.watch.own_actions import ended_by
from sparkconsole.model.foresight.effect import Anything, JobEnded, ServerGone
from sparkconsole.model.logs.diagnosis import paragraphs
from sparkconsole.model.text.units import hms
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.export import export_script, verb_line
from sparkconsole.model.work.job import Job, JobKind, JobState, Run, RunState
from sparkconsole.model.work.news import Remark, Report, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.model.work.run_difference import differences
from sparkconsole.model.work.tier import Tier
from sparkconsole.parse.diagnose.explain import explain
from sparkconsole.verbs.grammar import registry
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.registry import FLAG, Result, verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.runs import without_jobs


@verb("runs list")
async def list_(session: Here, *, limit: int = 20) -> Answer:
    """What was done, newest first.

    Parameters
    ----------
    limit:
        How many runs to show; 0 shows all.
    """
    session.journal.require_folder()
    shown = list(islice(session.journal.newest(), limit if limit > 0 else None))
    columns = ("run", "took", "state", "what")
    parts: list[Sheet | str] = [Sheet.of(columns, [_row(run) for run in shown])] if shown else ["no runs yet"]
    torn = [str(path) for path in session.journal.unreadable]
    if older := session.journal.count() - len(shown) - len(torn):
        parts.append(f"{older} older ones: runs list --limit 0")
    parts += [f"could not be read, and was left alone: {path}" for path in torn]
    return Answer({"runs": [_summary(run) for run in shown], "unreadable": torn}, tuple(parts))


@verb("runs show")
async def show(session: Here, run_id: str, /, *, output: Annotated[bool, FLAG] = False) -> Answer:
    """One run: its words, plan, jobs and result; of a failed one also what its output says went wrong.

    Parameters
    ----------
    run_id:
        The run's id, its beginning, or its last four letters.
    output:
        Also what it printed.
    """
    run = session.journal.find(run_id)
    data: dict[str, Any] = run.model_dump(mode="json")
    parts: list[Sheet | str] = [_portrait(run)]
    if steps := run.plan.get("steps"):
        planned = [(step.get("node"), step.get("sentence")) for step in steps]
        parts.append(Sheet.of(("node", "step"), planned, title="plan"))
    if run.jobs:
        rows = [(job.node, job.kind, job.id) for job in run.jobs]
        parts.append(Sheet.of(("node", "kind", "job"), rows, title="jobs"))
    if run.state is RunState.FAILED:
        lines = session.journal.output(run).splitlines()
        found = tuple(d.named(session.fleet.named) for d in explain(lines))
        data["findings"] = [d.as_data() for d in found]
        parts += paragraphs(found) if found else ()
    if output:
        data["output"] = session.journal.output(run)
        parts.append(data["output"].rstrip("\n"))
    return Answer(data, tuple(parts))


@verb("runs export")
async def export(session: Here, *run_ids: str) -> Answer:
    """A script that does these runs again, oldest first; secrets become ${NAME}.

    Parameters
    ----------
    run_ids:
        Ids of runs, their beginnings, or their last four letters.
    """
    if not run_ids:
        raise WrongUsage("which runs?", hint="sparkconsole runs list shows their ids")
    asked = {run.id: run for run in map(session.journal.find, run_ids)}
    runs = [run for run in asked.values() if _repeatable(run)]
    if not runs:
        raise WrongUsage("none of these runs changed anything", hint="there is nothing to do again")
    text = export_script(runs)
    return Answer({"runs": [run.id for run in runs], "script": text}, (text.rstrip("\n"),))


@verb("runs attach", ahead=True)
async def attach(session: Here, run_id: str, /) -> Answer | PlannedAction:
    """Follows what a run left running to its end, or finds how it ended, and writes that down.

    Parameters
    ----------
    run_id:
        The run's id, its beginning, or its last four letters.
    """
    run = session.journal.find(run_id)
    if not run.state.open:
        return Answer(_summary(run), (f"{run.id} ended already: {_state(run)}",))
    without_jobs.require_left(session, run)
    if not run.nodes:
        cause = f"{run.id} has no job to follow: what it left when its console ended is unknown"
        raise SparkError(cause, hint="sparkconsole status looks at what is there now")
    notes = tuple(f"{job.node}: {job.kind} {job.id}" for job in run.jobs)
    plan = Plan(f"Attach to {run.id}", tier=Tier.LOOK, notes=notes)
    unknown = Anything(f"how {run.id} ends is not known before")
    follow = _attached if run.jobs else without_jobs.what_stands
    return PlannedAction(plan, lambda report: follow(session, run, report), (unknown,))


@verb("runs stop", tier=Tier.RECOVERABLE)
async def stop(session: Here, run_id: str, /) -> Answer | PlannedAction:
    """Ends what a run left running, all of its processes, and reads back that they are gone.

    A run without jobs is closed where nothing of it is on its nodes; elsewhere it says what is.

    Parameters
    ----------
    run_id:
        The run's id, its beginning, or its last four letters.
    """
    run = session.journal.find(run_id)
    if not run.jobs and not run.state.open:
        return Answer(_summary(run), (f"{run.id} had no job, and ended already: {_state(run)}",))
    if not run.jobs:
        without_jobs.require_left(session, run)
        note = f"`{run.verb}` has no job; looked at is what stands on {', '.join(run.nodes) or 'no node'}"
        plan = Plan(f"Close {run.id}", tier=Tier.LOOK, notes=(note,))
        return PlannedAction(plan, partial(without_jobs.closed, session, run), ())
    without_jobs.require_known_nodes(session, run)
    seen = await _states(session, run.jobs)
    lost = {i: s for i, s in seen.items() if isinstance(s, SparkError)}
    running = [job for job in run.jobs if isinstance(s := seen[job.id], JobState) and s.running]
    if not running and lost:
        raise next(iter(lost.values()))
    if not running:
        hint = f"; how it ended: runs attach {run.id}" if run.state is RunState.UNKNOWN else ""
        return Answer({"run": run.id, "stopped": []}, (f"no job of {run.id} is running any more{hint}",))
    served = [job for job in running if job.kind is JobKind.SERVE]
    notes = tuple(f"cannot be asked, and may still be running: {error}" for error in lost.values())
    tier, word = (Tier.COSTLY, "stop") if served else (Tier.RECOVERABLE, "")
    plan = Plan(f"Stop {run.id}", tuple(s for job in running for s in _cancelling(job)), tier, word, notes)
    ended = (JobEnded(job.node, job.id) for job in running)
    # A server's port is free again, too.
    gone = (ServerGone((job.node,), job.container, job.port or 0) for job in served)

    async def execute(report: Report) -> Answer:
        return await _stopped(session, run, running, list(lost.values()), report)

    return PlannedAction(plan, execute, (*ended, *gone))


@verb("runs again", tier=Tier.RECOVERABLE)
async def again(session: Here, run_id: str, /) -> Result:
    """Does a run again with the words it was given, as a new run with a plan of its own.

    Parameters
    ----------
    run_id:
        The run's id, its beginning, or its last four letters.
    """
    run = session.journal.find(run_id)
    without_jobs.require_repeatable(session, run)
    result = await begin(session, understand(run.words))
    return replace(result, words=run.words) if isinstance(result, PlannedAction) else result


@verb("runs compare")
async def compare(session: Here, first: str, second: str, /) -> Answer:
    """What differs between two runs: words, durations, results.

    Parameters
    ----------
    first:
        The run's id, its beginning, or its last four letters.
    second:
        The other run's.
    """
    one, other = session.journal.find(first), session.journal.find(second)
    if one.id == other.id:
        raise WrongUsage(f"{one.id} cannot differ from itself", hint="name two runs: runs list")
    found = differences(one, other)
    keys = ("what", "first", "second", "change")
    listed = [dict(zip(keys, difference, strict=True)) for difference in found]
    data = {"first": one.id, "second": other.id, "differences": listed}
    columns = ("", *(f"{run.started:%m-%d %H:%M} {run.verb[:30]}" for run in (one, other)), "")
    return Answer(data, (Sheet.of(columns, found),) if found else ("nothing differs but the time",))


async def _attached(session: Session, run: Run, report: Report) -> Answer:
    """The run takes the place of the attachment in the journal: its output and its end are its own."""
    if session.run is not None:
        session.journal.discard(session.run)
    session.run = run = session.journal.adopt(run)
    minded = [job for job in run.jobs if job.kind is not JobKind.GUARD]
    ends = await asyncio.gather(*(_ended(session, run, j, report) for j in minded), return_exceptions=True)
    answers = [end for end in ends if isinstance(end, Answer)]
    if errors := [end for end in ends if isinstance(end, BaseException)]:
        raise min(errors, key=lambda e: not isinstance(e, Unreachable))
    if len(answers) == 1:
        return answers[0]
    data = {job.id: dict(answer.data) for job, answer in zip(minded, answers, strict=True)}
    parts = tuple(part for answer in answers for part in answer.parts)
    return Answer({"run": run.id, "jobs": data}, parts, max(answer.exit_code for answer in answers))


async def _ended(session: Session, run: Run, job: Job, report: Report) -> Answer:
    if not (await jobs.job_state(session.fleet, job)).known:
        never = "it never started, or its end was seen and not written down"
        data = {"job": job.id, "node": job.node, "known": False}
        return Answer(data, (f"{job.node} has no trace of {job.id}: {never}",), 1)
    registry.load()
    if job.kind not in registry.FOLLOWERS:
        raise SparkError(f"nothing here follows {job.kind} jobs", hint="this run was made by another version")
    return await registry.FOLLOWERS[job.kind](session, run, job, report)


async def _stopped(
    session: Session, run: Run, running: Sequence[Job], lost: Sequence[SparkError], report: Report
) -> Answer:
    """Cancels job by job; the run is only called cancelled when no node of it is left unasked."""
    left = list(running)
    try:
        while left:
            step = _cancelling(job := left[0])[-1]
            report(StepBegan(job.node, step.sentence))
            await jobs.cancel_job(session.fleet, job)
            report(StepEnded(StepOutcome(step, ok=True, seen=True)))
            left.pop(0)
    except asyncio.CancelledError:
        for job in left:
            still = f"{job.id} may still run: its end was not seen; sparkconsole runs stop {run.id}"
            report(Remark(still, job.node, "warning"))
        raise
    if lost:
        raise lost[0]
    if run.state is RunState.UNKNOWN:
        await together(*(jobs.forget_job(session.fleet, job) for job in running))
        await remove_marks(session.fleet, run)  # nobody else does: its console is gone
    session.journal.end(run, RunState.CANCELLED, 130)
    ids = [job.id for job in running]
    return Answer({"run": run.id, "stopped": ids}, (f"stopped: {', '.join(ids)}",))


async def _states(session: Session, found: Sequence[Job]) -> dict[str, JobState | SparkError]:
    async def state(job: Job) -> JobState | SparkError:
        try:
            return await jobs.job_state(session.fleet, job)
        except Unreachable as error:
            return error

    return dict(zip((j.id for j in found), await together(*map(state, found)), strict=True))


def _cancelling(job: Job) -> tuple[Step, ...]:
    """What fleet.jobs does to end a job, as steps to look at: in its container first, then on the node."""
    from sparkconsole.remote.jobs import CANCEL, CANCEL_INSIDE, script

    inside = ("docker", "exec", job.container, *script(CANCEL_INSIDE, "job-cancel", job.id))
    outer = Step(job.id, job.node, f"end {job.kind} job {job.id}", script(CANCEL, "job-cancel", job.id))
    if not job.container:
        return (outer,)
    name = f"{job.id}-inside"
    return (Step(name, job.node, f"end {job.kind} job {job.id} in {job.container}", inside), outer)


def _repeatable(run: Run) -> bool:
    """Reading verbs do nothing again, unless they had a job (a benchmark); `runs …` is about these runs."""
    known = registry.load()
    found = known.get(run.words[:2]) or known.get(run.words[:1])
    return run.words[0] != "runs" and (found is None or found.changes or bool(run.jobs))


def _state(run: Run) -> str:
    if run.state is RunState.UNKNOWN and run.exit_code is None:
        return "console gone: attach" if run.nodes else "console gone"
    code = f" ({run.exit_code})" if run.exit_code else ""
    return f"{run.state}{code}"


def _row(run: Run) -> tuple[str, ...]:
    took = hms((run.ended - run.started).total_seconds()) if run.ended else "–"
    return (run.id, took, _state(run), verb_line(run.words)[:100])


def _summary(run: Run) -> dict[str, Any]:
    keep = {"id", "words", "cluster", "started", "ended", "state", "exit_code"}
    data = {"jobs": [job.id for job in run.jobs], "ended_by": run.ended_by}
    return {**run.model_dump(mode="json", include=keep), **data}


def _portrait(run: Run) -> Sheet:
    rows: list[tuple[str, object]] = [
        ("run", run.id),
        ("what", verb_line(run.words)),
        ("cluster", run.cluster or None),
        ("started", f"{run.started:%Y-%m-%d %H:%M:%S} UTC"),
        ("ended", f"{run.ended:%Y-%m-%d %H:%M:%S} UTC" if run.ended else None),
        ("state", _state(run)),
    ]
    if by := ended_by(run):
        rows.append(("ended by", by))
    rows += [(key, value) for key, value in run.error.items() if key in ("node", "cause", "hint") and value]
    rows += [("cause", run.outcome["error"])] if isinstance(run.outcome.get("error"), str) else []
    return Sheet.of(("", ""), rows)
