"""The safe remedies of what the doctor found as one plan: commands first, then copies by their own verbs."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.model.checks import Finding, Fix, Severity
from sparkconsole.model.foresight.effect import Anything
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, Step, Verification
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.session import PlannedAction, Session

Again = Callable[[], Awaitable[tuple[tuple[Finding, ...], Answer]]]
"""Looks again: what is found now, and the answer that says so."""
TITLE = "fix what the doctor found"


def fixable(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """One finding per command and node."""
    wrong = [f for f in findings if f.fix is not None and f.node and f.severity is not Severity.OK]
    return tuple({(f.node, f.fix.argv): f for f in wrong if f.fix}.values())


class _Copy(NamedTuple):
    """One verb for several nodes, planned."""

    words: tuple[str, ...]
    findings: list[Finding]
    action: PlannedAction


@dataclass(slots=True)
class _Done:
    """What came of it, by the finding."""

    trouble: dict[Finding, str] = field(default_factory=dict)
    sheets: list[Sheet | str] = field(default_factory=list)
    unseen: bool = False
    """Of one of them nobody saw the end."""


async def plan_fixes(session: Session, findings: Sequence[Finding], again: Again) -> PlannedAction | None:
    """Everything that can be planned; None when nothing can. What cannot is in the plan's notes."""
    chosen = fixable(findings)
    single = {_step(i, f, f.fix): f for i, f in enumerate(chosen, 1) if f.fix and not f.fix.words}
    notes = _notes(findings, single)
    copies: list[_Copy] = []
    for words, those in _grouped(chosen):
        text, planned = f"sparkconsole {shlex.join(words)}", await _planned(session, words)
        if isinstance(planned, str):
            notes.append(f"not by itself: {text}: {planned}")
        else:
            copies.append(_Copy(words, those, planned))
            notes += (f"then {text}", *planned.plan.notes)
    if not single and not copies:
        return None
    kept = (step for copy in copies for step in copy.action.plan.steps)
    plan = Plan(TITLE, (*single, *kept), Tier.RECOVERABLE, notes=tuple(notes))
    tried = (*single.values(), *(f for copy in copies for f in copy.findings))

    async def execute(report: Report) -> Answer:
        done = _Done()
        # Each by itself: one that fails takes nothing back of the others.
        for step, finding in single.items():
            failures = (await execute_plan(session.fleet, Plan(TITLE, (step,)), report)).failures()
            if failures:
                done.trouble[finding] = failures[0].detail
                done.unseen |= failures[0].unseen
        for copy in copies:
            await _copied(copy, done, report)
        return _fixed(tried, done, *await again())

    known = (effect for copy in copies for effect in copy.action.effects)
    commands = (Anything("what the remedies change is looked at when they are done"),) if single else ()
    return PlannedAction(plan, execute, (*commands, *known))


def _step(number: int, finding: Finding, fix: Fix) -> Step:
    name = f"fix-{number}-{finding.check.replace(' ', '-')}"
    verify = Verification(f"{finding.check} is fixed", fix.proof) if fix.proof else None
    return Step(name, finding.node, fix.sentence, fix.argv, verify=verify, timeout_s=300)


def _grouped(chosen: Sequence[Finding]) -> list[tuple[tuple[str, ...], list[Finding]]]:
    """The same words but for the node they are for, which is the last one: said once, for all of them."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in chosen:
        if finding.fix and finding.fix.words:
            groups.setdefault(finding.fix.words[:-1], []).append(finding)
    return [((*words, ",".join(f.node for f in those)), those) for words, those in groups.items()]


async def _planned(session: Session, words: tuple[str, ...]) -> PlannedAction | str:
    """The verb plans itself, and refuses by itself (why): for want of room, of a login, of the network."""
    try:
        result = await begin(session, understand(words))
    except SparkError as error:
        return error.cause
    return result if isinstance(result, PlannedAction) else "it found nothing to do"


def _notes(findings: Sequence[Finding], single: dict[Step, Finding]) -> list[str]:
    """What is left to a person, and what `sudo -n` means."""
    root = any(step.argv[:2] == ("sudo", "-n") for step in single)
    notes = ["sudo -n: where it would ask for a password it does nothing"] if root else []
    for finding in (f for f in findings if f.severity is not Severity.OK and f.fix is None):
        where = f"{finding.node}: " if finding.node else ""
        remedy = f" → {finding.remedy}" if finding.remedy else ""
        notes.append(f"not by itself: {where}{finding.sentence}{remedy}")
    return notes


async def _copied(copy: _Copy, done: _Done, report: Report) -> None:
    """As the verb does it; what goes wrong is said of every node that it was for."""
    try:
        answer = await copy.action.execute(report)
    except SparkError as error:
        done.trouble |= dict.fromkeys(copy.findings, error.cause)
        done.unseen |= isinstance(error, Unreachable)
        return
    done.sheets += answer.parts
    if answer.exit_code:
        text = f"sparkconsole {' '.join(copy.words[:2])} ended with {answer.exit_code}"
        done.trouble |= dict.fromkeys(copy.findings, text)


def _fixed(tried: Sequence[Finding], done: _Done, after: tuple[Finding, ...], answer: Answer) -> Answer:
    """What is gone, what is still found, and which command failed."""
    still = {(f.check, f.node, f.sentence) for f in after if f.severity is not Severity.OK}
    rows, data = [], []
    for finding in tried:
        gone = (finding.check, finding.node, finding.sentence) not in still
        # Of several copies under one verb some may have arrived.
        trouble = "" if gone and finding.fix and finding.fix.words else done.trouble.get(finding, "")
        result = "failed" if trouble else "mended" if gone else "done, and still found"
        word = "fixed" if result == "mended" else result
        rows.append((word, finding.node, finding.check, trouble or finding.sentence))
        data.append({**finding.as_data(), "result": result, "detail": trouble})
    sheet = Sheet.of(("", "node", "check", "what was found"), rows)
    code = answer.exit_code or (Unreachable.exit_code if done.unseen else 1 if done.trouble else 0)
    return Answer({**answer.data, "mended": data}, (*done.sheets, sheet, *answer.parts), code)
