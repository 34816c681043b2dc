"""A sheet as lines of plain text, columns aligned by the cells a terminal gives them."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.answer import Sheet

_PLAIN = Console(width=10_000, file=StringIO())

GAP = 2
LEAST = 10
"""A column that gives room to the others keeps this many cells."""


def sheet_lines(sheet: Sheet, width: int | None = None) -> list[str]:
    """Title, header, rows; cells that do not fit into `width` are folded, the widest columns first."""
    rows = [[_cell(c) for c in row] for row in (sheet.columns, *sheet.rows)]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(sheet.columns))]
    if width is not None:
        widths = _narrowed(widths, width)
    lines = [line for row in rows for line in _row(row, widths)]
    return [*([printable(sheet.title)] if sheet.title else []), *lines]


def _cell(text: str) -> str:
    return " ".join(printable(text).split())


def _narrowed(widths: Sequence[int], room: int) -> list[int]:
    """The widest column gives way until all fit, or until none can."""
    left = list(widths)
    while sum(left) + GAP * (len(left) - 1) > room and max(left, default=0) > LEAST:
        left[left.index(max(left))] -= 1
    return left


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    folded = [_folded(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(len(lines) for lines in folded) if folded else 0
    return [_line([lines[i] if i < len(lines) else "" for lines in folded], widths) for i in range(height)]


def _folded(cell: str, width: int) -> list[str]:
    """Broken between words where that is possible."""
    lines = Text(cell).wrap(_PLAIN, max(width, 1), no_wrap=False)
    return [line.plain.rstrip() for line in lines] or [""]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return (" " * GAP).join(padded).rstrip()
