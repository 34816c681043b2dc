"""What a verb gives back: data for machines, sheets and sentences for people; and a sheet as plain lines.

As narrow as it can be without breaking a word, or one row a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from sparkconsole.model.text.redact import presentable

GAP = 2
SHORT = 16
"""A column no wider than this stays whole, spaces or not: `17.9 GiB`, `not running`."""

Rows = Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: every cell is text, possibly from a machine, never markup."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    whole: tuple[str, ...] = ()
    """Columns that are never folded although their cells have spaces (paths); single words never are."""

    @classmethod
    def of(cls, columns: Sequence[str], rows: Rows, title: str = "", whole: Sequence[str] = ()) -> Sheet:
        """A sheet whose cells are the text of `rows`; None becomes a dash."""
        cells = tuple(tuple("–" if c is None else str(c) for c in row) for row in rows)
        return cls(tuple(columns), cells, title, tuple(whole))

    def as_data(self) -> dict[str, Any]:
        """The sheet as JSON gives it."""
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is what `--json` prints; `parts` is what people read; `exit_code` is the program's."""

    data: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Sheet | str, ...] = ()
    exit_code: int = 0
    ended: bool = False
    """The exit code is that of a command which was seen to end: its 3 is not our 3."""


@dataclass(frozen=True, slots=True)
class Row:
    """One item of a stream (a log line, a reading): a JSON line, or one line of text."""

    data: Mapping[str, Any]
    text: str
    node: str = ""


def header_and_rows(sheet: Sheet, width: int | None = None) -> list[str]:
    """Header and rows, aligned by the cells that a terminal gives them; the title is not among them.

    Without `width` each row is one line, nothing folded or cut. Within `width` only columns of several words
    give way, between their words; where that is not enough, each row is a block of `column  value` lines.
    """
    rows, widths = _cells(sheet)
    if width is None:
        return [_line(row, widths) for row in rows]
    narrowed = _narrowed(widths, _least(sheet, rows, widths), width)
    if _total(narrowed) > width:
        return _blocks(rows, width)
    return [line for row in rows for line in _folded_row(row, narrowed)]


def is_in_columns(sheet: Sheet, width: int | None) -> bool:
    """The rows are lines under a header, not blocks."""
    rows, widths = _cells(sheet)
    return width is None or _total(_least(sheet, rows, widths)) <= width


def _cells(sheet: Sheet) -> tuple[list[list[str]], list[int]]:
    """Its cells as they can be shown, and how wide each column is."""
    rows = [[" ".join(presentable(c).split()) for c in row] for row in (sheet.columns, *sheet.rows)]
    return rows, [max(map(_drawn_width, column)) for column in zip(*rows, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _least(sheet: Sheet, rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[int]:
    """How narrow each column can be: as its longest word, or not at all."""
    least = list(widths)
    for i, name in enumerate(sheet.columns):
        if widths[i] > SHORT and name not in sheet.whole:
            least[i] = max(SHORT, *(_drawn_width(word) for row in rows for word in row[i].split()))
    return least


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widest column that still can gives way, until all fit or none can."""
    left = list(widths)
    while _total(left) > room and (able := [i for i, w in enumerate(left) if w > least[i]]):
        left[max(able, key=left.__getitem__)] -= 1
    return left


def _blocks(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """One block a row, `column  value`; a word that is wider than the terminal stays whole."""
    heads, *items = rows
    label = max(map(_drawn_width, heads))
    indent = label + GAP if any(heads) else 0
    lines: list[str] = []
    for item in items:
        lines += [""] if lines else []
        for head, cell in zip(heads, item, strict=True):
            first, *more = _folded(cell, max(width - indent, 1))
            lines += [f"{_padded(head, indent)}{first}".rstrip(), *(" " * indent + part for part in more)]
    return lines


def _folded_row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    folded = (_folded(cell, width) for cell, width in zip(cells, widths, strict=True))
    return [_line(parts, widths) for parts in zip_longest(*folded, fillvalue="")]


def _folded(cell: str, width: int) -> list[str]:
    """Broken between words only."""
    lines, now = [], ""
    for word in cell.split():
        longer = f"{now} {word}" if now else word
        if now and _drawn_width(longer) > width:
            lines.append(now)
            longer = word
        now = longer
    return [*lines, now]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return (" " * GAP).join(_padded(c, w) for c, w in zip(cells, widths, strict=True)).rstrip()


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _drawn_width(cell))


def _drawn_width(text: str) -> int:
    """How wide a terminal draws it. Who lays nothing out, as completion, does not load rich for it."""
    from rich.cells import cell_len

    return cell_len(text)
