"""What `check` found before a launch, as text: each thing once, with the nodes of which it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from sparkconsole.model.checks import Finding, Severity, joined_findings
from sparkconsole.model.text.alike import groups, whose
from sparkconsole.tui.draw.fabric_result import SEVERITY_SIGNS
from sparkconsole.tui.draw.frame import filled, folded, plain
from sparkconsole.tui.views.findings import tally


def checks_title(findings: Sequence[Finding] | None) -> str:
    """`checks · 1 failed · 2 warnings · 12 ok`; a thing that is said of many nodes counts once."""
    if findings is None:
        return "checks"
    return f"checks · {tally(each.finding.severity for each in joined_findings(findings))}"


def check_lines(findings: Sequence[Finding], width: int) -> list[Text]:
    """What is wrong first, each with what to do; what is right in short, side by side."""
    wrong = [f for severity in (Severity.FAIL, Severity.WARN) for f in findings if f.severity is severity]
    return [*_wrong_lines(wrong, findings, width), *_side_by_side(_right(findings), width)]


def _wrong_lines(wrong: Iterable[Finding], findings: Iterable[Finding], width: int) -> list[Text]:
    """Each thing once, of all the nodes of which it is said."""
    every, lines = len({f.node for f in findings if f.node}), []
    for each in joined_findings(wrong):
        mark, style = SEVERITY_SIGNS[each.finding.severity]
        where = f"{nodes}: " if (nodes := whose(each.nodes, every)) else ""
        lines += [Text(x, style) for x in folded(f"{mark} {where}{each.finding.sentence}", width)]
        remedy = folded(f"→ {each.finding.remedy}", width - 2) if each.finding.remedy else []
        lines += [Text(f"  {line}", "$muted") for line in remedy]
    return lines


def _right(findings: Iterable[Finding]) -> list[str]:
    """What is right, once for all the nodes of which it is said."""
    fine = groups((f for f in findings if f.severity is Severity.OK), lambda f: f.check)
    return [f"✔ {same[0].check}: {_once(same)}" for same in fine]


def _once(same: Sequence[Finding]) -> str:
    nodes = [plain(f.node) for f in same if f.node]
    where = ", ".join(nodes) if len(nodes) < 3 else str(len(nodes))
    if len({f.sentence for f in same}) > 1:
        return f"ok on {where} nodes" if len(nodes) > 2 else f"ok on {where}"
    return plain(same[0].sentence) + (f" ({where})" if nodes else "")


def _side_by_side(words: Sequence[str], width: int) -> list[Text]:
    """As many columns as there is room for."""
    if not words:
        return []
    count = max(1, width // 36)
    wide = width // count
    cells = [filled(Text(w, "$node-up"), wide - 1) for w in words]
    rows = [cells[i : i + count] for i in range(0, len(cells), count)]
    return [Text(" ", no_wrap=True, end="").join(row) for row in rows]


def network_doubts(findings: Sequence[Finding], width: int, height: int) -> list[Text]:
    """What `check` has against the network."""
    ours = [f for f in findings if f.check in ("fabric", "subnet", "mtu") and f.severity is not Severity.OK]
    return few(_wrong_lines(ours, findings, width), height, width)


def few(lines: list[Text], height: int, width: int) -> list[Text]:
    """So many lines, the last of which counts what is left out."""
    if len(lines) <= height:
        return lines
    more = len(lines) - height + 1
    return [*lines[: height - 1], filled(Text(f"… and {more} more lines", "$muted"), width)]
