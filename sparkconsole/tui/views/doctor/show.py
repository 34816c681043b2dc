"""The doctor's grid as a table, the evidence of one check, and the report, as text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from rich.text import Text

from sparkconsole.model.checks import BY_ID, Finding, Severity, joined_findings
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.tui.draw.bars import named, number_heads
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import SIGN_STYLES, hung, plain
from sparkconsole.tui.views.doctor.show_findings import MARK_OF, CheckRow, Mark
from sparkconsole.tui.views.findings import tally

TITLES = {
    "reachable": "SSH reachable", "docker": "Docker usable", "gpu": "GPU visible", "fabric": "fabric network",
    "subnet": "one subnet", "mtu": "same MTU", "image": "same image", "cache": "model cache",
    "ports": "ports free", "memory": "memory free", "disk": "disk free", "clock": "clocks in sync",
    "kernel": "same kernel", "driver": "same driver", "firmware": "NIC firmware",
    "known bad": "no bad versions", "power": "clean shutdown", "pace": "token rate",
    "reboot": "no reboot pending", "speed": "link speed", "address": "addresses", "reach": "fabric reachable",
    "route": "routes", "mtu path": "full-size frames", "image fits": "image fits",
    "versions": "same versions", "ray": "Ray complete", "settings": "variables match",
    "engine": "same rank flags", "model": "model complete", "exposed": "nothing exposed",
    "swap": "no swapping",
}  # fmt: skip
CHECK_WIDTH, FOUND_LEAST, CELL, NAMED = 15, 20, 2, 6


def title(check: str) -> str:
    """What the check is called."""
    return TITLES.get(check, plain(check))


def columns(nodes: Sequence[str], width: int) -> tuple[Column, ...]:
    """Check, a column per node or one for all of them, and what was found."""
    first = Column("check", "CHECK", min=CHECK_WIDTH, max=24)
    last = Column("found", "FOUND", min=FOUND_LEAST, grow=True)
    room = width - CHECK_WIDTH - FOUND_LEAST - 4
    if len(nodes) * (CELL + 2) <= room:
        return (first, *(Column(n, h, width=CELL) for n, h in number_heads(nodes, CELL).items()), last)
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
    return Text(mark.value, "$muted" if ignored else SIGN_STYLES[mark])


def _together(row: CheckRow, width: int) -> Text:
    """A sign per node where they all fit, else how many of each."""
    text = Text(no_wrap=True, end="")
    if len(row.marks) <= width:
        for mark in row.marks.values():
            text.append_text(_cell(mark, row.ignored))
        return text
    for mark in Mark:
        if count := sum(m is mark for m in row.marks.values()):
            text.append(f"{mark.value} {count}", "$muted" if row.ignored else SIGN_STYLES[mark]).append("  ")
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
    return f"{number_heads(tuple(every), CELL).get(nodes[0], plain(nodes[0]))}: "


def evidence(row: CheckRow, width: int) -> list[Text]:
    """What is wrong and what to do about it, what could not be asked, what is right."""
    lines: list[Text] = []
    for each in joined_findings(row.problems):
        finding, mark = each.finding, MARK_OF[each.finding.severity]
        lines += hung(f"{mark} ", SIGN_STYLES[mark], _sentence(finding, each.nodes), width)
        lines += hung("→ ", "$muted", plain(finding.remedy), width, "bold")
        lines += hung("F ", "$muted", shlex.join(finding.fix.argv), width, "$muted") if finding.fix else []
    if row.unasked:
        lines += hung("· ", "$muted", f"not checked on {named(row.unasked, NAMED)}", width, "$muted")
    for each in joined_findings(_fine(row)):
        lines += hung("✔ ", "$node-up", _sentence(each.finding, each.nodes), width)
    return lines


def _sentence(finding: Finding, nodes: Sequence[str]) -> str:
    return f"{named(nodes, NAMED)}: {plain(finding.sentence)}" if nodes else plain(finding.sentence)


def _fine(row: CheckRow) -> list[Finding]:
    return [f for f in row.findings if f.severity is Severity.OK]


def verdict(rows: Sequence[CheckRow]) -> str:
    """`1 failed · 2 warnings · 11 ok · 1 ignored`, counted by check."""
    counts = tally(r.worst for r in rows if not r.ignored)
    ignored = sum(r.ignored for r in rows)
    return f"{counts} · {ignored} ignored" if ignored else counts


def explained(row: CheckRow) -> Answer:
    """Why the check is made, and all that it found."""
    found = (*row.problems, *_fine(row))
    cells = [(MARK_OF[f.severity].value, f.node or "all", f.sentence, f.remedy) for f in found]
    cells += [(Mark.UNKNOWN.value, node, "not checked", "") for node in row.unasked]
    known = BY_ID.get(row.check)
    parts: list[Sheet | str] = [f"{known.question} {known.why}", f"based on: {known.needs}"] if known else []
    parts.append(Sheet.of(("", "node", "what was found", "what to do"), cells))
    if row.ignored:
        parts.append("ignored in this session; i undoes that")
    return Answer({}, tuple(parts))


def report(rows: Sequence[CheckRow], heading: str) -> str:
    """Everything as plain text, the problems first."""
    lines = [heading, verdict(rows), ""]
    for row in sorted(rows, key=lambda r: not r.problems):
        lines.append(f"{title(row.check)}{' (ignored)' if row.ignored else ''}")
        lines += [f"  {line.plain}" for line in evidence(row, 110)]
    return "\n".join(lines) + "\n"
