"""Columns and rows of a table: which columns there is room for, how wide each is, how rows are sorted.

Cells are `Text` or plain text, never markup; control characters do not survive (`one_line`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from rich.cells import cell_len

from sparkconsole.model.text.redact import presentable, redact
from sparkconsole.model.text.units import UNKNOWN
from sparkconsole.tui.draw.bars import fitted
from sparkconsole.tui.draw.frame import Cell, filled

Stamp = tuple[Any, ...]
_LOOSE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, turns the line round, or cannot be written at all."""
GAP = 2
"""Blank cells between columns."""
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `width` is exact; without it the column is as wide as its cells, at most `max`, and
    shrinks to `min` (when there is one) before columns go.
    """

    id: str
    title: str
    width: int | None = None
    min: int | None = None
    max: int | None = None
    align: Literal["left", "right"] = "left"
    drop: int = 0
    """Goes when there is no room, the greatest first; 0 stays."""
    grow: bool = False
    """Takes the room that is left."""
    descending: bool = False
    """The direction of its first sort."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row; `key` is what it is of, and stays while its cells change."""

    key: str
    cells: tuple[Cell, ...]
    order: tuple[Any, ...] = ()
    """What each column sorts by; without it the text of the cell, numbers as numbers."""
    find: str = ""
    """What a filter finds beside the cells."""


@dataclass(frozen=True, slots=True)
class PlacedColumn:
    """A column that is shown: its number, and how many cells it has."""

    index: int
    width: int


def one_line(cell: Cell) -> Cell:
    """The cell without anything that a terminal would obey."""
    if isinstance(cell, str):
        return presentable(_LOOSE.sub(" ", cell)) if _LOOSE.search(cell) else redact(cell)
    if not _LOOSE.search(cell.plain) and redact(cell.plain) == cell.plain:
        return cell
    tame = cell.copy()
    tame.plain = redact(_LOOSE.sub(" ", cell.plain))
    return tame


def plain(cell: Cell) -> str:
    """Its text."""
    return cell if isinstance(cell, str) else cell.plain


def stamp(row: TableRow) -> Stamp:
    """Equal for rows that look, sort and are found the same. (`Text`'s own equality overlooks its style.)"""
    cells = (c if isinstance(c, str) else (c.plain, str(c.style), *c.spans) for c in row.cells)
    return (*cells, row.order, row.find)


def places(columns: Sequence[Column], widths: Sequence[int], room: int) -> tuple[PlacedColumn, ...]:
    """The columns to show in `room` cells, given how wide the widest cell of each is.

    Columns shrink to their minimum first, then those that may go do; what stays after that is cut.
    """
    shown = list(range(len(columns)))
    while True:
        free = room - sum(_least(columns[i], widths[i]) for i in shown) - GAP * max(0, len(shown) - 1)
        leaving = max(shown, key=lambda i: columns[i].drop, default=None)
        if free >= 0 or leaving is None or columns[leaving].drop == 0:
            return _filled(columns, widths, shown, max(0, free))
        shown.remove(leaving)


def _least(column: Column, widest: int) -> int:
    natural = _natural(column, widest)
    return natural if column.min is None or column.width is not None else min(column.min, natural)


def _natural(column: Column, widest: int) -> int:
    if column.width is not None:
        return column.width
    wanted = max(widest, cell_len(column.title), column.min or 0)
    return wanted if column.max is None else min(wanted, max(column.max, column.min or 0))


def _filled(
    columns: Sequence[Column], widths: Sequence[int], shown: Sequence[int], free: int
) -> tuple[PlacedColumn, ...]:
    """Hands the free room out: first what the cells need, evenly, then all of it to a column that grows."""
    have = {i: _least(columns[i], widths[i]) for i in shown}
    want = {i: _natural(columns[i], widths[i]) - have[i] for i in shown}
    while free > 0 and (hungry := [i for i in shown if want[i] > 0]):
        share = max(1, free // len(hungry))
        for i in hungry:
            given = min(share, want[i], free)
            have[i], want[i], free = have[i] + given, want[i] - given, free - given
    growing = next((i for i in shown if columns[i].grow), None)
    if growing is not None:
        have[growing] += free
    return tuple(PlacedColumn(i, have[i]) for i in shown)


def laid(cell: Cell, width: int, align: str = "left") -> Cell:
    """Exactly `width` cells."""
    if isinstance(cell, str):
        return fitted(" " * (width - cell_len(cell)) + cell if align == "right" else cell, width)
    return filled(cell, width, align)


def unknown(row: TableRow, column: int) -> bool:
    """Stands last in either direction."""
    if column < len(row.order):
        value = row.order[column]
        return value is None or (isinstance(value, float) and math.isnan(value))
    return column >= len(row.cells) or plain(row.cells[column]).strip() in {"", UNKNOWN, "-"}


def natural(text: str) -> tuple[tuple[int, float, str], ...]:
    """A key under which numbers within text sort as numbers: `spark-2` before `spark-10`."""
    parts = enumerate(_NUMBER.split(text))
    return tuple((0, float(p), "") if i % 2 else (1, 0.0, p.casefold()) for i, p in parts if p)


def ordered(rows: Iterable[TableRow], column: int | None, *, descending: bool = False) -> list[TableRow]:
    """The rows sorted by that column; as given when it is None. Equal ones keep their order."""
    every = list(rows)
    if column is None:
        return every

    def key(row: TableRow) -> tuple[Any, ...]:
        value = row.order[column] if column < len(row.order) else plain(row.cells[column])
        return (0, value) if isinstance(value, int | float) else (1, natural(str(value)))

    known = [r for r in every if not unknown(r, column)]
    return sorted(known, key=key, reverse=descending) + [r for r in every if unknown(r, column)]


def having(rows: Iterable[TableRow], text: str) -> list[TableRow]:
    """Those rows in which the text stands, in any cell, in either case."""
    wanted = text.strip().casefold()
    searched = ((r, "\n".join((r.key, *map(plain, r.cells), r.find))) for r in rows)
    return [row for row, whole in searched if wanted in whole.casefold()]


# --- the rows as they stand now: what looks the same stays the same


@dataclass(frozen=True, slots=True, eq=False)
class DrawnRow:
    """A row as it is drawn; the same object as long as it looks the same."""

    row: TableRow
    stamp: Stamp


class RowSheet:
    """`take` gives the rows; `lines` are those to show, in their order."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.every: tuple[DrawnRow, ...] = ()
        self.lines: list[DrawnRow] = []
        self.filter = ""
        self.sort: int | None = None
        self.descending = False
        self.places: tuple[PlacedColumn, ...] = ()
        self._widest = [0] * len(self.columns)

    @property
    def keys(self) -> tuple[str, ...]:
        """The rows shown, in the order shown."""
        return tuple(line.row.key for line in self.lines)

    def take(self, rows: Iterable[TableRow]) -> bool:
        """These rows from now on; False when they look as before. Of rows with one key the last counts."""
        before = {line.row.key: line for line in self.every}
        given = {row.key: row for row in rows}
        every = tuple(_prepared(row, before.get(key)) for key, row in given.items())
        if every == self.every:
            return False
        if before.keys() != given.keys():
            self._widest = [0] * len(self.columns)
        self.every = every
        # Columns only become wider while the same rows are shown, so that they do not dance.
        for line in every:
            for i, cell in enumerate(line.row.cells[: len(self._widest)]):
                width = len(cell) if isinstance(cell, str) and cell.isascii() else cell_len(plain(cell))
                self._widest[i] = max(self._widest[i], width)
        return True

    def arrange(self) -> None:
        """Filters and sorts again."""
        by_key = {line.row.key: line for line in self.every}
        rows = having((line.row for line in self.every), self.filter)
        self.lines = [by_key[r.key] for r in ordered(rows, self.sort, descending=self.descending)]

    def lay_out(self, room: int) -> None:
        """Chooses the columns that stand in so many cells."""
        # One cell more than the title, for the arrow of the sorted column.
        widths = [max(w, cell_len(c.title) + 1) for w, c in zip(self._widest, self.columns, strict=True)]
        self.places = places(self.columns, widths, room)

    def sort_by(self, column: str | None, descending: bool | None) -> None:
        """By that column, in its own direction unless said; None: as given."""
        ids = [c.id for c in self.columns]
        self.sort = ids.index(column) if column in ids else None
        usual = self.sort is not None and self.columns[self.sort].descending
        self.descending = usual if descending is None else descending

    def next_sort(self, by: int) -> str | None:
        """The column `by` further on; between the last and the first the order is as given."""
        ways = [None, *(place.index for place in self.places)]
        now = ways.index(self.sort) if self.sort in ways else 0
        chosen = ways[(now + by) % len(ways)]
        return None if chosen is None else self.columns[chosen].id

    def column_at(self, x: int) -> Column | None:
        """The column that stands so many cells from the left of the first."""
        left = 0
        for place in self.places:
            if left <= x < left + place.width + GAP:
                return self.columns[place.index]
            left += place.width + GAP
        return None

    def title(self, index: int) -> str:
        """With an arrow when the rows are sorted by it."""
        arrow = "▼" if self.descending else "▲"
        return self.columns[index].title + (arrow if self.sort == index else "")


def _prepared(row: TableRow, before: DrawnRow | None) -> DrawnRow:
    """The line as it was when nothing of it changed, else a new one with safe cells."""
    mark = stamp(row)
    if before is not None and before.stamp == mark:
        return before
    return DrawnRow(replace(row, cells=tuple(map(one_line, row.cells))), mark)
