"""What is said of many nodes, said once: sentences that differ by nothing but a number are one."""

from __future__ import annotations

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


def whose(nodes: Sequence[str], every: int) -> str:
    """`spark-01`, `64 nodes` when that is all of them, `3 of 64 nodes`; empty: of none in particular."""
    if len(nodes) < 2:
        return "".join(nodes)
    return f"{len(nodes)} nodes" if len(nodes) >= every else f"{len(nodes)} of {every} nodes"
