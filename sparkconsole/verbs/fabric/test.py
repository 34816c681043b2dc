"""`fabric test` and `fabric history`: what the fast link between the nodes carries, and carried before."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import Annotated, Any

from sparkconsole.errors import Refused, Unreachable, WrongUsage
from sparkconsole.fleet.fabric.history import RateHistory
from sparkconsole.fleet.fabric.test import FabricSurvey, gate, measurements, meters, stand
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.fabric.paths import ways
from sparkconsole.model.fabric.rates import earlier
from sparkconsole.model.fabric.test import FabricTest, PairLine, worst
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here, Session

MOST_LINES = 12
_BUSY = "something runs on the GPU of {}: a rate is what that leaves over, and slows it for as long"


@verb("fabric test", ahead=True)
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
    standing = await _standing(session, eth_if, devices)
    if session.options.dry_run:
        return await _shown(session, standing, quick=quick)
    busy = () if quick else standing.busy
    notes = (_BUSY.format(", ".join(busy)),) if busy else ()
    done = await gate(session.fleet, standing, history_of(session), quick=quick)
    return _answer(session, done, notes)


@verb("fabric history")
async def fabric_history(session: Here, *, last: int = 20) -> Answer:
    """Show the rates that earlier fabric tests of this cluster measured, newest first.

    Parameters
    ----------
    last
        How many.
    """
    if last < 1:
        raise WrongUsage("--last must be 1 or more")
    kept = history_of(session).rates(session.cluster.name)
    shown = [(r, earlier(r, kept)) for r in reversed(kept[-last:])]
    rows = [
        (_when(r.at), f"{r.node} {r.peer}", r.interface, r.tool, f"{r.gbit:.1f}", _gbit(before))
        for r, before in shown
    ]
    data = {"rates": [{**r.as_data(), "earlier_gbit": before} for r, before in shown]}
    none = "no fabric test of this cluster was kept yet: sparkconsole fabric test"
    columns = ("when", "nodes", "rail", "by", "Gb/s", "before")
    return Answer(data, (Sheet.of(columns, rows) if rows else none,))


def _when(at: str) -> str:
    """In the person's own time."""
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return at


def history_of(session: Session) -> RateHistory:
    """Where this session's rates are kept: beside its journal."""
    return RateHistory(session.journal.folder.parent)


async def require_gate(
    session: Session, report: Report, *, eth_if: str | None, ib_if: tuple[str, ...]
) -> None:
    """The whole gate before something is started: Refused on red, what is yellow is told."""
    standing = await _standing(session, eth_if, ib_if)
    report(Remark("fabric gate: pings, routes and rates between the nodes"))
    done = await gate(session.fleet, standing, history_of(session))
    for line in done.lines():
        report(Remark(_sentence(line)))
    for found in done.findings:
        if found.severity is Severity.WARN:
            report(Remark(found.sentence, found.node))
    if done.red:
        first, *more = done.red
        others = f" (and {len(more)} more)" if more else ""
        raise Refused(
            f"fabric gate: {first.sentence}{others}; nothing was started",
            hint=first.remedy or "sparkconsole fabric test",
            node=first.node,
        )


async def _standing(session: Session, eth_if: str | None, ib_if: tuple[str, ...]) -> FabricSurvey:
    if len(session.fleet.names) < 2:
        raise WrongUsage("a fabric joins two nodes or more", hint="add one: sparkconsole node add")
    return await stand(session.fleet, eth_if=eth_if, ib_if=ib_if)


# --- answers


def _answer(session: Session, done: FabricTest, notes: tuple[str, ...]) -> Answer:
    lines, findings = done.lines(), done.findings
    verdict, unknown = worst(findings), _unseen(done)
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
    return Answer(data, (*parts, *notes, summary), _exit_code(done, verdict))


def _worth_telling(lines: tuple[PairLine, ...]) -> tuple[PairLine, ...]:
    """All of a small cluster; of a large one what was measured and what is wrong."""
    if len(lines) <= MOST_LINES:
        return lines
    return tuple(x for x in lines if x.rate or x.unmeasured or x.verdict is not Severity.OK)


def _pairs(lines: tuple[PairLine, ...]) -> Sheet:
    columns = ("nodes", "rail", "answers", "MTU", "route", "Gb/s", "by", "before", "")
    mixed = len({line.rate.tool for line in lines if line.rate}) > 1
    unsaid = {
        "Gb/s": not any(line.rate or line.unmeasured for line in lines),
        "by": not mixed,
        "before": not any(line.before for line in lines),
    }
    rows = [
        (
            f"{line.there.way.node} {line.there.way.peer}",
            line.interface,
            line.answers,
            line.frames,
            line.route,
            _gbit(line.rate.gbit if line.rate else None),
            line.rate.tool if line.rate else None,
            _gbit(line.before),
            line.verdict,
        )
        for line in lines
    ]
    kept = [i for i, column in enumerate(columns) if not unsaid.get(column)]
    return Sheet.of([columns[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _wrong(findings: tuple[Finding, ...]) -> Sheet:
    wrong = sorted(
        (f for f in findings if f.severity is not Severity.OK),
        key=lambda f: f.severity is not Severity.FAIL,
    )
    rows = [(f.severity, f.check, f.node or "all", f.sentence, f.remedy) for f in wrong]
    return Sheet.of(("", "check", "node", "what was found", "what to do"), rows)


def _unseen(done: FabricTest) -> dict[str, str]:
    """The nodes that could not be reached, and why; none where something is wrong with those that were."""
    if any(f.severity is Severity.FAIL and f.check != "reachable" for f in done.findings):
        return {}
    errors = {**done.networks, **done.paths.errors}
    return {node: e.cause for node, e in errors.items() if isinstance(e, Unreachable)}


def _summary(done: FabricTest, verdict: Severity) -> str:
    pairs = {tuple(sorted((r.node, r.peer))) for r in done.rates}
    sums = [sum(r.gbit for r in done.rates if {r.node, r.peer} == set(pair)) for pair in pairs]
    many = f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'}"
    tools = ", ".join(sorted({r.tool for r in done.rates}))
    least = f"{min(sums):.0f} Gb/s{' or more' if len(sums) > 1 else ''}" if sums else ""
    carried = f"{least} by {tools}, all rails of {many} of neighbours" if sums else ""
    values = {Severity.OK: "the fabric is healthy", Severity.WARN: "the fabric works, with warnings"}
    return ": ".join(filter(None, (values.get(verdict, "the fabric would not carry a cluster"), carried)))


def _sentence(line: PairLine) -> str:
    way, rate = line.there.way, line.rate
    carried = f", {rate.gbit:.1f} Gb/s by {rate.tool}" if rate else ""
    return (
        f"{way.node} {way.peer} {line.interface}: {line.answers}, MTU {line.frames}{carried}: {line.verdict}"
    )


def _gbit(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


def _exit_code(done: FabricTest, verdict: Severity) -> int:
    errors = (*done.networks.values(), *done.paths.errors.values())
    if any(isinstance(e, Unreachable) for e in errors):
        return 3
    return 1 if verdict is Severity.FAIL else 0


async def _shown(session: Session, standing: FabricSurvey, *, quick: bool) -> Answer:
    """What a test would run on each node, in this order."""
    from sparkconsole.remote.fabric.paths import commands
    from sparkconsole.remote.fabric.rate import ends, shown

    lines = [(w.node, shlex.join(argv)) for w in ways(standing.ends) for argv in commands(w)]
    plan = () if quick else measurements(standing.ends, await meters(session.fleet, standing.ends))
    for way, tool in (one for pairs in plan for pair in pairs for one in pair):
        far, near = ends(way, tool)
        lines += [(way.peer, shlex.join(shown(far))), (way.node, shlex.join(shown(near)))]
    data: dict[str, Any] = {"commands": [{"node": n, "command": c} for n, c in lines]}
    return Answer(data, (Sheet.of(("node", "command"), lines), "nothing was run but the look at each node"))


__all__ = ["fabric_history", "fabric_test", "require_gate"]
