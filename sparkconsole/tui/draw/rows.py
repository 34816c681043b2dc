"""The rows of a table as they stand now: filtered, sorted, measured; what looks the same stays the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from sparkconsole.tui.draw.columns import (
    GAP,
    Column,
    PlacedColumn,
    Stamp,
    TableRow,
    having,
    one_line,
    ordered,
    places,
    plain,
    stamp,
)


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
