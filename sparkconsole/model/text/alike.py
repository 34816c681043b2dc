"""What is alike: sentences that differ by nothing but a number are one, and a word's nearest is offered."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
_NAMES = ("status", "port", "GID", "index", "code", "rank", "pid", "errno")
_NAMING = "".join(f"(?<!{word} )" for word in _NAMES)
"""Behind these a number is a name: `exit status 1 to 137` would say nothing."""
_NUMBER = re.compile(_NAMING + r"(?<!\S)([(“±+-]?)(\d+(?:\.\d+)?)([A-Za-z%°]{0,4}[,.;:)”]*)(?!\S)")
"""A word that is a number, alone or with its unit: no part of an address, a version, a name or an id."""


@functools.lru_cache(maxsize=4096)
def form(sentence: str) -> str:
    """The sentence without its numbers: that of all that say the same."""
    return _NUMBER.sub(r"\1#\3", sentence)


def together(sentences: Sequence[str]) -> str:
    """One sentence for those of one form: `its clock is 3 to 9 s behind the others`."""
    first, values = sentences[0], [[m[2] for m in _NUMBER.finditer(s)] for s in dict.fromkeys(sentences)]
    ranges = iter([_range([parts[i] for parts in values]) for i in range(len(values[0]))])
    return _NUMBER.sub(lambda m: f"{m[1]}{next(ranges)}{m[3]}", first)


def _range(values: Sequence[str]) -> str:
    least, most = min(values, key=float), max(values, key=float)
    return least if float(least) == float(most) else f"{least} to {most}"


def groups(items: Iterable[Item], key: Callable[[Item], Hashable]) -> list[list[Item]]:
    """Those of one key together, in the order of the first of each."""
    found: dict[Hashable, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return list(found.values())


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names, and how many there are beside them: `a, b, c and 2 more`."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def whose(nodes: Sequence[str], every: int) -> str:
    """`spark-01`, `64 nodes` when that is all of them, `3 of 64 nodes`; empty: of none in particular."""
    if len(nodes) < 2:
        return "".join(nodes)
    return f"{len(nodes)} nodes" if len(nodes) >= every else f"{len(nodes)} of {every} nodes"


_ALIKE = 0.5
"""How alike two words have to be, 0 to 1, before one is offered for the other."""


def nearest(word: str, known: Iterable[str], *, alike: float = _ALIKE) -> str:
    """The known word most like `word`; empty when none is."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, alike)), "")


def did_you_mean(word: str, known: Iterable[str], *, alike: float = _ALIKE) -> str:
    """`; did you mean WORD?` for the end of a sentence; empty when no known word is like it."""
    return f"; {guess}" if (guess := suggestion(word, known, alike=alike)) else ""


def suggestion(word: str, known: Iterable[str], otherwise: str = "", *, alike: float = _ALIKE) -> str:
    """`did you mean WORD?` as a hint of its own; `otherwise` when no known word is like it."""
    near = nearest(word, known, alike=alike)
    return f"did you mean {near}?" if near else otherwise
