"""Carries a plan out: steps run as soon as what they need is done; a failure takes back what was done."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sparkconsole.clock import cancelled
from sparkconsole.errors import CommandFailed, SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import start_job
from sparkconsole.fleet.tar import tar_of
from sparkconsole.fleet.waiting import under_way
from sparkconsole.model.work.news import Remark, Report, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan, PlanOutcome, Step, StepOutcome
from sparkconsole.remote.shell import Shell


async def execute_plan(fleet: Fleet, plan: Plan, report: Report) -> PlanOutcome:
    """Runs the plan to its end or to its first failure; then undoes, newest first, what had been done."""
    done: dict[str, StepOutcome] = {}
    running: dict[asyncio.Task[StepOutcome], Step] = {}
    started: list[str] = []
    try:
        while True:
            if all(o.ok for o in done.values()):
                for step in plan.ready(done, started):
                    started.append(step.id)
                    running[asyncio.create_task(_execute_step(fleet, step, report))] = step
            if not running:
                break
            ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                done[running.pop(task).id] = task.result()
    except asyncio.CancelledError:
        await cancelled(running)
        await _take_back(fleet, plan, started, report)
        raise
    outcome = PlanOutcome(tuple(done[i] for i in started if i in done))
    if not outcome.ok:
        await _take_back(fleet, plan, started, report)
    return outcome


async def _execute_step(fleet: Fleet, step: Step, report: Report) -> StepOutcome:
    report(StepBegan(step.node, step.sentence))
    began, unseen = fleet.clock.monotonic(), False
    try:
        async with under_way(step, report):
            shell = await fleet.shell(step.node)
            detail = await _run(fleet, shell, step)
            await verify(shell, step)
        ok = True
    except SparkError as error:
        ok, unseen = False, isinstance(error, Unreachable)
        detail = error.cause + (f" — {error.hint}" if error.hint else "")
    outcome = StepOutcome(step, ok, detail, fleet.clock.monotonic() - began, unseen=unseen)
    report(StepEnded(outcome))
    return outcome


async def _run(fleet: Fleet, shell: Shell, step: Step) -> str:
    secrets = {name: os.environ[name] for name in step.secrets if name in os.environ}
    if step.job is not None:
        await start_job(fleet, step.job, secrets=secrets)
        return f"job {step.job.id}"
    stdin = await fed(step)
    completed = await shell.run(step.argv, stdin=stdin, timeout=step.timeout_s, secrets=secrets)
    if completed.killed and step.verify is not None:
        return ""  # how far it came is seen by its effect
    return completed.checked().text.strip()


async def fed(step: Step) -> bytes | None:
    """What the step's command reads on standard input."""
    if step.folder:
        return await asyncio.to_thread(tar_of, Path(step.folder))
    return step.stdin.encode() if step.stdin is not None else None


async def verify(shell: Shell, step: Step) -> None:
    """Reads the effect of a step back; CommandFailed with the verification's sentence when it is not so,

    Unreachable when nobody could see."""
    if step.verify is None:
        return
    seen = await shell.run(step.verify.argv, timeout=step.timeout_s)
    expected = step.verify.expect
    if seen.status is None:
        seen.checked()
    if not seen.ok or (expected is not None and seen.text.strip() != expected):
        text = f"{step.verify.sentence}: not so: {seen.error_text.strip() or seen.text.strip()}"
        raise CommandFailed(step.verify.argv, seen.status, text, node=shell.node)


async def _take_back(fleet: Fleet, plan: Plan, started: list[str], report: Report) -> None:
    """Undo is best effort on each node, and every failure of it is told: nothing is left behind silently."""
    steps = {s.id: s for s in plan.steps}
    for step in (steps[i] for i in reversed(started) if steps[i].undo):
        try:
            shell = await fleet.shell(step.node)
            (await shell.run(step.undo, timeout=step.timeout_s)).checked()
            report(Remark(f"taken back: {step.sentence}", step.node))
        except SparkError as error:
            report(Remark(f"could not take back “{step.sentence}”: {error.cause}", step.node, "error"))
