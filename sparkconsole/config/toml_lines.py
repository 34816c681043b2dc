"""On which line of a TOML file each key stands, so that an error can say where."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]
"""The way to a value: keys, and positions in lists."""

_HEADER = re.compile(r"\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$")


def places(text: str) -> dict[Place, int]:
    """The line (from 1) of every key and table of a TOML text that parses."""
    found: dict[Place, int] = {}
    table: Place = ()
    counts: dict[Place, int] = {}
    for line, chunk in _chunks(text):
        header = _HEADER.match(chunk) if "\n" not in chunk else None
        if header and (keys := _keys(header[2])):
            table = _table(keys, counts, is_list=header[1] == "[[")
            found.setdefault(table, line)
        else:
            found.update(_inside(table, tomllib.loads(chunk), _Lines(chunk, line)))
    return found


def line_of(found: dict[Place, int], place: Place) -> int:
    """The line of `place`, or of the nearest table around it; 1 when there is none."""
    while place and place not in found:
        place = place[:-1]
    return found.get(place, 1)


def dotted(place: Place) -> str:
    """`clusters.lab.nodes[1].port`, as people write it; list positions count from 1."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """Headers and whole `key = value` statements, with the line on which each begins."""
    begin, held = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if not held and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begin, held = (begin, f"{held}\n{line}") if held else (number, line)
        if _HEADER.match(held) or _parsed(held) is not None:
            yield begin, held
            held = ""


def _parsed(chunk: str) -> Any:
    """What it says; None when that is no whole statement."""
    try:
        return tomllib.loads(chunk)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _keys(header: str) -> list[str]:
    """The keys of a table's header; empty when it is no header (a list that looks like one)."""
    data = _parsed(f"{header} = 0")
    keys: list[str] = []
    while isinstance(data, dict):
        key, data = next(iter(data.items()))
        keys.append(key)
    return keys


def _table(keys: list[str], counts: dict[Place, int], *, is_list: bool) -> Place:
    """The place of a table's header; `counts` remembers how many members each list of tables has."""
    place: Place = ()
    for key in keys[:-1]:
        place = (*place, key)
        if place in counts:
            place = (*place, counts[place] - 1)
    place = (*place, keys[-1])
    if not is_list:
        return place
    counts[place] = counts.get(place, 0) + 1
    return (*place, counts[place] - 1)


def _inside(table: Place, value: Any, lines: dict[str, list[int]]) -> Iterator[tuple[Place, int]]:
    """Every key within one statement, in the order written; `lines` has where each word stands."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        place = (*table, key)
        if isinstance(key, str):
            yield place, lines[key].pop(0) if len(lines[key]) > 1 else lines[key][0]
        if isinstance(inner, (dict, list)):
            yield from _inside(place, inner, lines)


class _Lines(dict[str, list[int]]):
    """For a key, the lines of a statement that have it; the first line when it is spelled otherwise."""

    def __init__(self, chunk: str, first: int) -> None:
        super().__init__()
        self._chunk, self._first = chunk.splitlines(), first

    def __missing__(self, key: str) -> list[int]:
        pattern = re.compile(rf"(?<![\w-]){re.escape(key)}[\"']?\s*[=.]")
        found = [self._first + n for n, text in enumerate(self._chunk) for _ in pattern.findall(text)]
        return self.setdefault(key, found or [self._first])
