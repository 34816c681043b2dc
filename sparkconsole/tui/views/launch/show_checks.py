"""What `check` found before a launch, as text: each thing once, with the nodes of which it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.text import Text

from sparkconsole.model.text.alike import form, groups, together, whose
from sparkconsole.tui.draw.frame import filled, folded, plain

SEVERITIES = {"fail": ("✖", "$node-lost"), "warn": ("!", "$node-warn"), "ok": ("✔", "$node-up")}
Found = Mapping[str, str]
"""A finding as `check` answers it."""


def checks_title(findings: Sequence[Found] | None) -> str:
    """`checks · 1 failed · 2 warnings · 12 ok`; a thing that is said of many nodes counts once."""
    if findings is None:
        return "checks"
    severities = [same[0]["severity"] for same in _alike(findings)]
    counts = {s: severities.count(s) for s in SEVERITIES}
    words = [f"{counts['fail']} failed"] if counts["fail"] else []
    words += [f"{counts['warn']} warning{'s' * (counts['warn'] != 1)}"] if counts["warn"] else []
    return " · ".join(("checks", *words, f"{counts['ok']} ok"))


def check_lines(findings: Sequence[Found], width: int) -> list[Text]:
    """What is wrong first, each with what to do; what is right in short, side by side."""
    order, every = {"fail": 0, "warn": 1}, _every(findings)
    wrong = sorted((f for f in findings if f["severity"] in order), key=lambda f: order[f["severity"]])
    lines = [line for same in _alike(wrong) for line in _finding(same, every, width)]
    return [*lines, *_side_by_side(_right(findings), width)]


def _alike(findings: Iterable[Found]) -> list[list[Found]]:
    return groups(
        findings,
        lambda f: (f["severity"], f["check"], form(f["sentence"]), form(f["remedy"]), not f["node"]),
    )


def _every(findings: Iterable[Found]) -> int:
    return len({f["node"] for f in findings if f["node"]})


def _finding(same: Sequence[Found], every: int, width: int) -> list[Text]:
    """One thing, of all the nodes of which it is said."""
    mark, style = SEVERITIES[same[0]["severity"]]
    nodes = whose([f["node"] for f in same if f["node"]], every)
    text = f"{mark} {f'{nodes}: ' if nodes else ''}{together([f['sentence'] for f in same])}"
    lines = [Text(line, style) for line in folded(text, width)]
    if remedy := together([f["remedy"] for f in same]):
        lines += [Text(f"  {line}", "$muted") for line in folded(f"→ {remedy}", width - 2)]
    return lines


def _right(findings: Iterable[Found]) -> list[str]:
    """What is right, once for all the nodes of which it is said."""
    nodes: dict[str, list[str]] = {}
    values: dict[str, set[str]] = {}
    for f in (f for f in findings if f["severity"] == "ok"):
        nodes.setdefault(f["check"], []).append(f["node"])
        values.setdefault(f["check"], set()).add(f["sentence"])
    return [f"✔ {check}: {_once(values[check], nodes[check])}" for check in nodes]


def _once(sentences: set[str], nodes: Sequence[str]) -> str:
    named = [plain(n) for n in nodes if n]
    if len(sentences) == 1:
        sentence = plain(next(iter(sentences)))
        return sentence if not named else f"{sentence} ({', '.join(named) if len(named) < 3 else len(named)})"
    return f"ok on {', '.join(named)}" if len(named) < 3 else f"ok on {len(named)} nodes"


def _side_by_side(words: Sequence[str], width: int) -> list[Text]:
    """As many columns as there is room for."""
    if not words:
        return []
    count = max(1, width // 36)
    wide = width // count
    cells = [filled(Text(w, "$node-up"), wide - 1) for w in words]
    rows = [cells[i : i + count] for i in range(0, len(cells), count)]
    return [Text(" ", no_wrap=True, end="").join(row) for row in rows]


def network_doubts(findings: Sequence[Found], width: int, height: int) -> list[Text]:
    """What `check` has against the network."""
    ours = [f for f in findings if f["check"] in ("fabric", "subnet", "mtu") and f["severity"] != "ok"]
    lines = [line for same in _alike(ours) for line in _finding(same, _every(findings), width)]
    return few(lines, height, width)


def few(lines: list[Text], height: int, width: int) -> list[Text]:
    """So many lines, the last of which counts what is left out."""
    if len(lines) <= height:
        return lines
    more = len(lines) - height + 1
    return [*lines[: height - 1], filled(Text(f"… and {more} more lines", "$muted"), width)]
