"""The doctor's grid as a table, the evidence of one check, and the report, as text."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Mapping, Sequence

from rich.text import Text

from sparkconsole.model.checks import BY_ID, CHECKS, Finding, Severity, joined_findings
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.tui.draw.bars import short_names
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import folded, plain
from sparkconsole.tui.views.doctor.show_findings import CheckRow, Mark

TITLES = {
    "reachable": "answers", "docker": "docker usable", "gpu": "GPU visible", "fabric": "fabric network",
    "subnet": "one subnet", "mtu": "MTU agrees", "image": "image the same", "cache": "model cache",
    "ports": "ports free", "memory": "memory free", "disk": "disk free", "clock": "clocks agree",
    "kernel": "kernels agree", "driver": "drivers agree", "firmware": "NIC firmware",
    "known bad": "known-bad sets", "power": "shut down well", "pace": "pace as before",
    "reboot": "no reboot due", "speed": "link speed", "address": "addresses", "reach": "nodes reachable",
    "route": "routes", "mtu path": "whole frames", "image fits": "image fits",
    "versions": "versions agree", "ray": "Ray complete", "settings": "variables fit",
    "engine": "ranks alike", "model": "model whole", "exposed": "nothing exposed",
    "swap": "nothing swapped",
}  # fmt: skip
WHY = {check.id: check.why for check in CHECKS}
GLYPHS = {Severity.OK: Mark.OK, Severity.WARN: Mark.WARN, Severity.FAIL: Mark.FAIL}
STYLES = {
    Mark.OK: "$node-up",
    Mark.WARN: "$node-warn",
    Mark.FAIL: "$node-lost",
    Mark.UNKNOWN: "$muted",
    Mark.NONE: "$muted",
}
CHECK_WIDTH, FOUND_LEAST, CELL = 15, 20, 2
NAMED = 6
"""So many nodes are named; more are counted."""


def title(check: str) -> str:
    """What the check is called."""
    return TITLES.get(check, plain(check))


def columns(nodes: Sequence[str], width: int) -> tuple[Column, ...]:
    """Check, a column per node or one for all of them, and what was found."""
    first = Column("check", "CHECK", min=CHECK_WIDTH, max=24)
    last = Column("found", "FOUND", min=FOUND_LEAST, grow=True)
    room = width - CHECK_WIDTH - FOUND_LEAST - 4
    if len(nodes) * (CELL + 2) <= room:
        return (first, *(Column(n, h, width=CELL) for n, h in heads(tuple(nodes)).items()), last)
    wide = len(nodes) if len(nodes) <= room else min(24, room)
    return (first, Column("nodes", "NODES", width=wide), last)


def table_row(row: CheckRow, shown: Sequence[Column]) -> TableRow:
    """As the table takes it."""
    style = "$muted" if row.ignored else "bold" if row.problems else ""
    cells = [Text(title(row.check), style)]
    if shown[1].id == "nodes":
        cells.append(_together(row, shown[1].width or 0))
    else:
        cells += [_cell(mark, row.ignored) for mark in row.marks.values()]
    return TableRow(row.check, (*cells, found(row)), find=" ".join(f.sentence for f in row.findings))


def _cell(mark: Mark, ignored: bool) -> Text:
    return Text(mark.value, "$muted" if ignored else STYLES[mark])


def _together(row: CheckRow, width: int) -> Text:
    """A sign per node where they all fit, else how many of each."""
    text = Text(no_wrap=True, end="")
    if len(row.marks) <= width:
        for mark in row.marks.values():
            text.append_text(_cell(mark, row.ignored))
        return text
    for mark in Mark:
        if count := sum(m is mark for m in row.marks.values()):
            text.append(f"{mark.value} {count}", "$muted" if row.ignored else STYLES[mark]).append("  ")
    return text


def found(row: CheckRow) -> Text:
    """The worst in a line; of what is right, what was seen."""
    findings = joined_findings(row.problems or row.findings)
    if not findings:
        return Text()
    shared = next((each for each in findings if not each.nodes), None)
    first = findings[0] if row.problems else (shared or findings[0])
    where = _where(first.nodes, row.marks) if row.problems or len(findings) > 1 else ""
    more = f"  +{len(findings) - 1} more" if row.problems and len(findings) > 1 else ""
    line = f"{where}{plain(first.finding.sentence)}{more}"
    style = "" if row.pressing else "$muted"
    return Text(f"ignored: {line}" if row.ignored else line, style, no_wrap=True, end="")


def _where(nodes: Sequence[str], every: Mapping[str, Mark]) -> str:
    """`03: `, `all: `, `5 nodes: `."""
    if not nodes:
        return ""
    if len(nodes) > 1:
        return "all: " if len(nodes) == len(every) else f"{len(nodes)} nodes: "
    return f"{heads(tuple(every)).get(nodes[0], plain(nodes[0]))}: "


@functools.lru_cache(maxsize=8)
def heads(nodes: tuple[str, ...]) -> dict[str, str]:
    """What tells the nodes apart, in a few cells."""
    return {n: s.lstrip("…") for n, s in zip(nodes, short_names(nodes, CELL + 1), strict=True)}


def evidence(row: CheckRow, width: int) -> list[Text]:
    """What is wrong and what to do about it, what could not be asked, what is right."""
    lines: list[Text] = []
    for finding, nodes in ((each.finding, each.nodes) for each in joined_findings(row.problems)):
        sign = GLYPHS[finding.severity]
        lines += _hung(sign.value, STYLES[sign], _sentence(finding, nodes), width)
        lines += _hung("→", "$muted", finding.remedy, width, "bold") if finding.remedy else []
        lines += _hung("F", "$muted", shlex.join(finding.fix.argv), width, "$muted") if finding.fix else []
    if row.unasked:
        lines += _hung("·", "$muted", f"{named(row.unasked)} could not be asked", width, "$muted")
    for each in joined_findings(_fine(row)):
        lines += _hung("✔", "$node-up", _sentence(each.finding, each.nodes), width)
    return lines


def _sentence(finding: Finding, nodes: Sequence[str]) -> str:
    return f"{named(nodes)}: {finding.sentence}" if nodes else finding.sentence


def _fine(row: CheckRow) -> list[Finding]:
    return [f for f in row.findings if f.severity is Severity.OK]


def _hung(sign: str, sign_style: str, text: str, width: int, style: str = "") -> list[Text]:
    """A sign, and behind it the text, folded."""
    lines = [Text("  ").append(part, style) for part in folded(plain(text), max(width - 2, 10))]
    if lines:
        lines[0] = Text(f"{sign} ", sign_style).append(lines[0].plain[2:], style)
    return lines


def named(nodes: Sequence[str]) -> str:
    """`spark-01, spark-02`; of many the first few and how many more."""
    shown = ", ".join(plain(n) for n in nodes[:NAMED])
    return f"{shown} and {len(nodes) - NAMED} more" if len(nodes) > NAMED else shown


def verdict(rows: Sequence[CheckRow]) -> str:
    """`1 failed · 2 warnings · 11 ok · 1 ignored`, counted by check."""
    pressing = [r for r in rows if not r.ignored]
    pairs = [
        (sum(r.worst is Severity.FAIL for r in pressing), "failed"),
        (sum(r.worst is Severity.WARN for r in pressing), "to look at"),
        (sum(r.worst is Severity.OK for r in pressing), "ok"),
        (sum(r.ignored for r in rows), "ignored"),
    ]
    return " · ".join(f"{count} {word}" for count, word in pairs if count or word == "ok")


def explained(row: CheckRow) -> Answer:
    """Why the check is made, and all that it found."""
    cells = [
        (GLYPHS[f.severity].value, f.node or "all", f.sentence, f.remedy)
        for f in (*row.problems, *_fine(row))
    ]
    cells += [(Mark.UNKNOWN.value, node, "could not be asked", "") for node in row.unasked]
    known = BY_ID.get(row.check)
    parts: list[Sheet | str] = [f"{known.question} {known.why}", f"looked at: {known.needs}"] if known else []
    parts.append(Sheet.of(("", "node", "what was found", "what to do"), cells))
    if row.ignored:
        parts.append("ignored in this session; i takes that back")
    return Answer({}, tuple(parts))


def report(rows: Sequence[CheckRow], heading: str) -> str:
    """Everything as plain text, the problems first."""
    lines = [heading, verdict(rows), ""]
    for row in sorted(rows, key=lambda r: not r.problems):
        lines.append(f"{title(row.check)}{' (ignored)' if row.ignored else ''}")
        lines += [f"  {line.plain}" for line in evidence(row, 110)]
    return "\n".join(lines) + "\n"
