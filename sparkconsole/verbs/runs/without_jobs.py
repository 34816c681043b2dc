"""A run without jobs whose console is gone: its nodes are looked at, and its words are planned again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sparkconsole.clock import together
from sparkconsole.errors import UNSEEN, Cancelled, CommandFailed, Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.execute_plan import verify
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.fleet.journal.journal import this_console
from sparkconsole.fleet.marks import remove_marks
from sparkconsole.fleet.sweep import sweep_nodes
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.export import secrets_of
from sparkconsole.model.work.job import ConsoleProcess, Run, RunState
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.remote.node.marks import commands_of
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.registry import Result
from sparkconsole.verbs.grammar.session import PlannedAction, Session


async def what_stands(session: Session, run: Run, report: Report) -> Answer:
    """Ends a run without jobs by what its nodes show now; exit code 3 where one of them cannot be asked."""
    if session.run is not None:
        session.journal.discard(session.run)
    session.run = run
    lines, over, code = await _seen(session, run)
    if over is RunState.DONE and not session.options.read_only:
        # What it ended left something on the node, and it was not there to take that away.
        await sweep_nodes(session.fleet, session.journal, run.nodes, report, engine=False)
    return _answer(run, lines, code)


async def closed(session: Session, run: Run, _: Report) -> Answer:
    """Ends it where nothing of it is on its nodes, or all that it was for; else it stays open, and why."""
    lines, over, code = await _seen(session, run)
    if over is None:
        return _answer(run, lines, code)
    done = over is RunState.DONE
    session.journal.end(run, over, 0 if done else Cancelled.exit_code)
    await remove_marks(session.fleet, run)
    what = lines[-1] if done else f"nothing of it is on {', '.join(run.nodes) or 'any node'}"
    data = {"run": run.id, "stopped": [], "ended": over}
    return Answer(data, (lines[0], f"{what}: {run.id} is closed as {over}"))


def _answer(run: Run, lines: list[str], code: int) -> Answer:
    why = {"error": "; ".join(lines)} if code else {}
    return Answer({"run": run.id, "stands": lines, **why}, tuple(lines), code)


async def _seen(session: Session, run: Run) -> tuple[list[str], RunState | None, int]:
    """What its nodes show, how it ended (None: that is open), and the exit code of that."""
    console = ConsoleProcess.model_validate(run.plan.get("console", run.console))
    seen = await session.fleet.ask(lambda shell: commands_of(shell, console), nodes_to_ask(session, run))
    running = [(node, *each) for node, commands in answered(seen).items() for each in commands]
    lines, errors = [f"`{run.verb}` was not seen to end"], list(failed(seen).values())
    over, left, code = RunState.CANCELLED if not run.nodes else None, list[str](), 1
    try:
        if run.nodes:
            require_repeatable(session, run)
            planning = replace(session, options=replace(session.options, read_only=False))  # it only plans
            plan = await begin(planning, understand(run.words))
            over, left, code = await _left(session, run, plan)
    except SparkError as error:
        errors.append(error)
    lines += map(str, errors)
    end = "to end it: sparkconsole node exec --node"
    lines += [f"{node}: still runs: {words} ({end} {node} -- kill {pid})" for node, pid, words in running]
    over = None if errors or running else over
    lost = (e.exit_code for e in errors if isinstance(e, Unreachable))
    done = ["all that it was for stands"] if over is RunState.DONE else []
    return [*lines, *left, *done], over, next(lost, UNSEEN if running else 0 if done else code)


def nodes_to_ask(session: Session, run: Run) -> tuple[str, ...]:
    """Its nodes; and where its words name none, those too that its plan left out: they could not be asked."""
    pieces = (piece for word in run.words for piece in re.split("[=,]", word))
    named = any(session.cluster.node(piece) for piece in pieces)
    return run.nodes if named or not run.nodes else tuple(dict.fromkeys((*run.nodes, *session.fleet.names)))


async def _left(session: Session, run: Run, left: Result) -> tuple[RunState | None, list[str], int]:
    """What its words would do now: an answer means nothing, as does a plan whose every effect is there."""
    if not isinstance(left, PlannedAction):
        return RunState.DONE if isinstance(left, Answer) else None, [], 1
    again = f"to do it again: sparkconsole runs again {run.id}"
    provable = any(step.verify for step in left.plan.steps)
    missing = await _missing(session.fleet, left.plan) if provable else []
    if provable and not missing:
        return RunState.DONE, [], 0
    if not provable or _either_way(left.plan, missing):
        close = f"to close it: sparkconsole runs stop {run.id}"
        return RunState.CANCELLED, ["what it did cannot be seen", again, close], UNSEEN
    lines = [f"{step.node}: not done: {step.sentence}" for step in missing if not step.reads]
    before = {(step.get("node"), step.get("sentence")) for step in run.plan.get("steps", ())}
    same = before == {(step.node, step.sentence) for step in left.plan.steps}
    return RunState.CANCELLED if same else None, [*lines, again], 1


async def _missing(fleet: Fleet, plan: Plan) -> list[Step]:
    """The steps whose effect is not there, by their own proofs; those without a proof are not done."""
    steps = [step for step in plan.steps if not step.reads]
    proved = [step for step in steps if step.verify]
    there = await together(*(_stands(fleet, step) for step in proved))
    done = {step.id for step, so in zip(proved, there, strict=True) if so}
    return [step for step in steps if step.id not in done]


def _either_way(plan: Plan, missing: Sequence[Step]) -> bool:
    """A later step of the same node stands: a container that was to go and come again may be either one."""
    steps = [step for step in plan.steps if not step.reads and step.verify]
    last = {step.node: step for step in steps}
    return bool(last) and any(last.get(step.node) not in (None, *missing) for step in missing)


async def _stands(fleet: Fleet, step: Step) -> bool:
    try:
        await verify(await fleet.shell(step.node), step)
    except CommandFailed:
        return False
    return True


def require_left(session: Session, run: Run) -> None:
    """Refuses what a console minds, and what was on nodes that this cluster does not have."""
    if run.state is RunState.RUNNING:
        whose = "this console" if run.console == this_console() else "another console"
        hint = f"look at it: sparkconsole runs show {run.id} --output"
        raise Refused(f"{whose} is following {run.id} (process {run.console.pid})", hint=hint)
    require_known_nodes(session, run)


def require_known_nodes(session: Session, run: Run) -> None:
    """WrongUsage where it was on nodes that this cluster does not have."""
    strangers = sorted(({job.node for job in run.jobs} or {*run.nodes}) - {*session.fleet.names})
    if strangers:
        where = f"--cluster {run.cluster}" if run.cluster in session.inventory.clusters else "--nodes …"
        cause = f"{run.id} was on {', '.join(strangers)}, which this cluster does not have"
        raise WrongUsage(cause, hint=f"say {where}, as that run was given")


def require_repeatable(session: Session, run: Run) -> None:
    """Refuses what cannot be done again as it was."""
    if not run.words or run.words[0] == "runs":
        raise WrongUsage(f"{run.id} was about another run", hint="do that one again")
    if names := secrets_of(run.words):
        hint = f"as a script it can: runs export {run.id}, then --script FILE --set {names[0]}=…"
        raise Refused(f"{run.id} was given {', '.join(names)}, and secrets are not kept", hint=hint)
    if run.cluster and session.cluster.name and run.cluster != session.cluster.name:
        hint = f"sparkconsole --cluster {run.cluster} runs again {run.id}"
        raise WrongUsage(
            f"{run.id} was done on the cluster {run.cluster}, and this is {session.cluster.name}", hint=hint
        )
