"""What differs between two runs: words, how they ended, how long they took, every number they left."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sparkconsole.model.text.units import hms
from sparkconsole.model.work.job import Run

Difference = tuple[str, str, str, str]
"""What, the first run's, the second's, and the change where it is a number."""
NONE = "–"
MOST_ITEMS = 32
"""Longer lists are samples, which differ in any case."""


def differences(first: Run, second: Run) -> tuple[Difference, ...]:
    """Only what is not the same."""
    rows = [*_words(first, second), *_standing(first, second)]
    one, other = dict(leaves(first.outcome)), dict(leaves(second.outcome))
    for name in dict.fromkeys((*one, *other)):
        was, now = one.get(name), other.get(name)
        if was != now:
            rows.append((name, _shown(was), _shown(now), change(was, now)))
    return tuple(rows)


def _words(first: Run, second: Run) -> Iterator[Difference]:
    matcher = difflib.SequenceMatcher(None, first.words, second.words, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            before = first.words[a - 1] if a and first.words[a - 1].startswith("-") else ""
            yield (f"words {before}".strip(), _quoted(first.words[a:b]), _quoted(second.words[c:d]), "")


def _quoted(words: Sequence[str]) -> str:
    return " ".join(words) or NONE


def _standing(first: Run, second: Run) -> Iterator[Difference]:
    for name in ("cluster", "state", "exit_code"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            yield (name.replace("_", " "), _shown(one), _shown(other), "")
    took = [(r.ended - r.started).total_seconds() if r.ended else None for r in (first, second)]
    if took[0] != took[1]:
        shown = [hms(s) if s is not None else NONE for s in took]
        yield ("took", shown[0], shown[1], change(*took))
    named = ([str(s.get("node")) for s in r.plan.get("steps", ())] for r in (first, second))
    nodes = [" ".join(dict.fromkeys(names)) for names in named]
    if nodes[0] != nodes[1]:
        yield ("nodes", nodes[0] or NONE, nodes[1] or NONE, "")
    causes = [str(r.error.get("cause") or "") for r in (first, second)]
    if causes[0] != causes[1]:
        yield ("error", causes[0] or NONE, causes[1] or NONE, "")


def leaves(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value within JSON-like data under its path; items of lists go by their node."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(data, list | tuple):
        for number, item in enumerate(data[:MOST_ITEMS] if len(data) <= MOST_ITEMS else ()):
            yield from leaves(item, f"{name}[{_name(item, number)}]")
    elif data is not None and data != "":
        yield name, data


def _name(item: Any, number: int) -> str:
    named = (item.get("node") or item.get("host")) if isinstance(item, Mapping) else None
    return str(named or number)


def change(first: Any, second: Any) -> str:
    """`+12.5 %`; empty for what are no numbers, or where the first is nothing."""
    numbers = [n for n in (first, second) if isinstance(n, int | float) and not isinstance(n, bool)]
    return f"{(second - first) / first:+.1%}".replace("%", " %") if len(numbers) == 2 and first else ""


def _shown(value: Any) -> str:
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else str(value)[:200]
