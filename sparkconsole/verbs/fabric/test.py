"""`fabric test` and `fabric history`: what the fast link between the nodes carries, and carried before."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from sparkconsole.errors import Refused, Unreachable, WrongUsage
from sparkconsole.fleet.fabric.history import RateHistory
from sparkconsole.fleet.fabric.test import FabricSurvey, gate, measurements, meters, stand
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.fabric.paths import ways
from sparkconsole.model.fabric.rates import earlier
from sparkconsole.model.fabric.test import FabricTest, PairLine, worst
from sparkconsole.model.text.units import moment
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here, Session

MOST_LINES = 12
_BUSY = "something runs on the GPU of {}: a rate is what that leaves over, and slows it for as long"


@verb("fabric test", ahead=True, loads=True)
async def fabric_test(
    session: Here,
    *,
    quick: Annotated[bool, FLAG] = False,
    eth_if: str | None = None,
    ib_if: str | None = None,
) -> Answer:
    """Try the fast link between all nodes: answers, whole frames, routes, and what it carries.

    Nothing is changed and nothing stays running. Each half of a cable is filled for 2 seconds, between
    neighbours: with ib_write_bw where both have it (package perftest), else by TCP (iperf3 or our own).
    Exit code 1 when something would keep a cluster from working, 3 when a node is unreachable.

    Parameters
    ----------
    quick
        Without the rates: pings and routes only, in under 4 seconds.
    eth_if
        Interface for Ethernet, the same on every node; without it detected on each.
    ib_if
        RDMA devices, with commas; without it detected on each.
    """
    devices = tuple((ib_if or "").replace(",", " ").split())
    survey = await _survey(session, eth_if, devices)
    if session.options.dry_run:
        return await _shown(session, survey, quick=quick)
    notes = (_BUSY.format(", ".join(survey.busy)),) if survey.busy and not quick else ()
    done = await gate(session.fleet, survey, history_of(session), quick=quick)
    return _answer(session, done, notes)


@verb("fabric history")
async def fabric_history(session: Here, *, last: int = 20) -> Answer:
    """Show the rates that earlier fabric tests of this cluster measured, newest first.

    Parameters
    ----------
    last
        How many.
    """
    kept = history_of(session).rates(session.cluster.name)
    shown = [(r, earlier(r, kept)) for r in reversed(kept[-last:])]
    data = {"rates": [{**rate.as_data(), "earlier_gbit": before} for rate, before in shown]}
    if not shown:
        return Answer(data, ("no fabric test of this cluster was kept yet: sparkconsole fabric test",))
    rows = []
    for rate, before in shown:
        pair = f"{rate.node} {rate.peer}"
        rows.append((_when(rate.at), pair, rate.interface, rate.tool, _gbit(rate.gbit), _gbit(before)))
    return Answer(data, (Sheet.of(("when", "nodes", "rail", "by", "Gb/s", "before"), rows),))


def _when(at: str) -> str:
    """In the person's own time."""
    when = moment(at)
    return f"{when.astimezone():%Y-%m-%d %H:%M}" if when else at


def history_of(session: Session) -> RateHistory:
    """Where this session's rates are kept: beside its journal."""
    return RateHistory(session.journal.folder.parent)


async def require_gate(
    session: Session, report: Report, *, eth_if: str | None, ib_if: tuple[str, ...]
) -> None:
    """The whole gate before something is started: Refused on red, what is yellow is told."""
    survey = await _survey(session, eth_if, ib_if)
    report(Remark("fabric gate: pings, routes and rates between the nodes"))
    done = await gate(session.fleet, survey, history_of(session))
    for line in done.lines():
        way, rate = line.there.way, line.rate
        measured = f", {rate.gbit:.1f} Gb/s by {rate.tool}" if rate else ""
        found = f"{line.answers}, MTU {line.frames}{measured}: {line.verdict}"
        report(Remark(f"{way.node} {way.peer} {line.interface}: {found}"))
    for finding in done.findings:
        if finding.severity is Severity.WARN:
            report(Remark(finding.sentence, finding.node))
    if done.red:
        first, *more = done.red
        cause = f"fabric gate: {first.sentence}" + (f" (and {len(more)} more)" if more else "")
        hint = first.remedy or "sparkconsole fabric test"
        raise Refused(f"{cause}; nothing was started", hint=hint, node=first.node)


async def _survey(session: Session, eth_if: str | None, ib_if: tuple[str, ...]) -> FabricSurvey:
    if len(session.fleet.names) < 2:
        raise WrongUsage("a fabric joins two nodes or more", hint="add one: sparkconsole node add")
    return await stand(session.fleet, eth_if=eth_if, ib_if=ib_if)


# --- answers


def _answer(session: Session, done: FabricTest, notes: tuple[str, ...]) -> Answer:
    lines, findings = done.lines(), done.findings
    verdict = worst(findings)
    errors = {**done.networks, **done.paths.errors}
    lost = {node: e.cause for node, e in errors.items() if isinstance(e, Unreachable)}
    # Where something is wrong with those that were reached, the verdict is known all the same.
    known = any(f.severity is Severity.FAIL and f.check != "reachable" for f in findings)
    unknown = {} if known else lost
    data = {
        "cluster": session.cluster.name,
        "pairs": [line.as_data() for line in lines] if lines or not unknown else None,
        "findings": [f.as_data() for f in findings],
        "notes": list(notes),
        "verdict": "unknown" if unknown else verdict.value,
        "unknown": unknown,
    }
    wrong = _wrong(findings)
    shown = _worth_telling(lines)
    parts: list[Sheet | str] = [_pairs(shown)] if shown else []
    if len(shown) < len(lines):
        parts.append(f"{len(lines) - len(shown)} more, between nodes that are no neighbours, are ok")
    parts += [wrong] if wrong.rows else []
    unseen = f"what the fabric would carry is unknown: {', '.join(unknown)} could not be reached"
    summary = unseen if unknown else _summary(done, verdict)
    return Answer(data, (*parts, *notes, summary), 3 if lost else int(verdict is Severity.FAIL))


def _worth_telling(lines: tuple[PairLine, ...]) -> tuple[PairLine, ...]:
    """All of a small cluster; of a large one what was measured and what is wrong."""
    if len(lines) <= MOST_LINES:
        return lines
    return tuple(x for x in lines if x.rate or x.unmeasured or x.verdict is not Severity.OK)


def _pairs(lines: tuple[PairLine, ...]) -> Sheet:
    rates = [line.rate for line in lines if line.rate]
    columns: dict[str, list[Any]] = {
        "nodes": [f"{line.there.way.node} {line.there.way.peer}" for line in lines],
        "rail": [line.interface for line in lines],
        "answers": [line.answers for line in lines],
        "MTU": [line.frames for line in lines],
        "route": [line.route for line in lines],
    }
    if rates or any(line.unmeasured for line in lines):
        columns["Gb/s"] = [_gbit(line.rate.gbit if line.rate else None) for line in lines]
    if len({rate.tool for rate in rates}) > 1:
        columns["by"] = [line.rate.tool if line.rate else None for line in lines]
    if any(line.before for line in lines):
        columns["before"] = [_gbit(line.before) for line in lines]
    columns[""] = [line.verdict for line in lines]
    return Sheet.of(tuple(columns), list(zip(*columns.values(), strict=True)))


def _wrong(findings: tuple[Finding, ...]) -> Sheet:
    wrong = [f for level in (Severity.FAIL, Severity.WARN) for f in findings if f.severity is level]
    rows = [(f.severity, f.check, f.node or "all", f.sentence, f.remedy) for f in wrong]
    return Sheet.of(("", "check", "node", "what was found", "what to do"), rows)


def _summary(done: FabricTest, verdict: Severity) -> str:
    pairs = {tuple(sorted((r.node, r.peer))) for r in done.rates}
    sums = [sum(r.gbit for r in done.rates if {r.node, r.peer} == set(pair)) for pair in pairs]
    many = f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'}"
    tools = ", ".join(sorted({r.tool for r in done.rates}))
    least = f"{min(sums):.0f} Gb/s{' or more' if len(sums) > 1 else ''}" if sums else ""
    measured = f"{least} by {tools}, all rails of {many} of neighbours" if sums else ""
    values = {Severity.OK: "the fabric is healthy", Severity.WARN: "the fabric works, with warnings"}
    return ": ".join(filter(None, (values.get(verdict, "the fabric would not carry a cluster"), measured)))


def _gbit(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


async def _shown(session: Session, survey: FabricSurvey, *, quick: bool) -> Answer:
    """What a test would run on each node, in this order."""
    from sparkconsole.remote.fabric.paths import commands
    from sparkconsole.remote.fabric.rate import ends, shown

    lines = [(w.node, shlex.join(argv)) for w in ways(survey.ends) for argv in commands(w)]
    plan = () if quick else measurements(survey.ends, await meters(session.fleet, survey.ends))
    for way, tool in (one for pairs in plan for pair in pairs for one in pair):
        far, near = ends(way, tool)
        lines += [(way.peer, shlex.join(shown(far))), (way.node, shlex.join(shown(near)))]
    data: dict[str, Any] = {"commands": [{"node": n, "command": c} for n, c in lines]}
    return Answer(data, (Sheet.of(("node", "command"), lines), "nothing was run but the look at each node"))
