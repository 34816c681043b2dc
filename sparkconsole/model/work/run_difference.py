"""What differs between two runs: words, how they ended, how long they took, every number they left."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from sparkconsole.model.text.units import hms
from sparkconsole.model.work.job import Run

Difference = tuple[str, str, str, str]
"""What, the first run's, the second's, and the change where it is a number."""
NONE = "–"
MOST_OF_A_VALUE = 200
MOST_ITEMS = 32
"""Longer lists are samples, which differ in any case."""


def differences(first: Run, second: Run) -> tuple[Difference, ...]:
    """Only what is not the same."""
    rows = [*_words(first, second)]
    ends, outcomes = (_end(first), _end(second)), (dict(leaves(first.outcome)), dict(leaves(second.outcome)))
    for (one, other), most in ((ends, None), (outcomes, MOST_OF_A_VALUE)):
        for name in dict.fromkeys((*one, *other)):
            was, now = one.get(name), other.get(name)
            if was != now:
                rows.append((name, _shown(was, most), _shown(now, most), change(was, now)))
    return tuple(rows)


def _words(first: Run, second: Run) -> Iterator[Difference]:
    matcher = difflib.SequenceMatcher(None, first.words, second.words, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind != "equal":
            before = first.words[a - 1] if a and first.words[a - 1].startswith("-") else ""
            was, now = " ".join(first.words[a:b]), " ".join(second.words[c:d])
            yield (f"words {before}".strip(), was or NONE, now or NONE, "")


def _end(run: Run) -> dict[str, Any]:
    """Where and how it ended, and after how long. An exit status is a name, not a number that grows."""
    nodes = dict.fromkeys(str(step.get("node")) for step in run.plan.get("steps", ()))
    return {
        "cluster": run.cluster,
        "state": run.state,
        "exit code": None if run.exit_code is None else str(run.exit_code),
        "took": run.ended - run.started if run.ended else None,
        "nodes": " ".join(nodes) or None,
        "error": run.error.get("cause") or None,
    }


def leaves(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every value within JSON-like data under its path; items of lists go by their node."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    elif isinstance(data, list | tuple):
        for number, item in enumerate(data if len(data) <= MOST_ITEMS else ()):
            named = (item.get("node") or item.get("host")) if isinstance(item, Mapping) else None
            yield from leaves(item, f"{name}[{named or number}]")
    elif data is not None and data != "":
        yield name, data


def change(first: Any, second: Any) -> str:
    """`+12.5 %`; empty for what are no numbers, or where the first is nothing."""
    numbers = [n for n in (first, second) if type(n) in (int, float, timedelta)]
    return f"{(second - first) / first:+.1%}".replace("%", " %") if len(numbers) == 2 and first else ""


def _shown(value: Any, most: int | None) -> str:
    if value is None:
        return NONE
    if isinstance(value, timedelta):
        return hms(value.total_seconds())
    return f"{value:g}" if isinstance(value, float) else str(value)[:most]
