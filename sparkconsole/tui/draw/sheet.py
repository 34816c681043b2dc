"""A sheet as lines of plain text, columns aligned by the cells a terminal gives them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import cell_len

from sparkconsole.model.text.redact import presentable
from sparkconsole.model.work.answer import Sheet
from sparkconsole.tui.draw.bars import fitted
from sparkconsole.tui.draw.columns import GAP
from sparkconsole.tui.draw.frame import folded, plain

LEAST = 10
"""A column that gives room to the others keeps this many cells; where that is too much, its longest word."""


def sheet_lines(sheet: Sheet, width: int | None = None) -> list[str]:
    """Title, header, rows; cells that do not fit into `width` are folded, the widest columns first."""
    rows = [[plain(c) for c in row] for row in (sheet.columns, *sheet.rows)]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(sheet.columns))]
    if width is not None:
        split = [[word for row in rows for word in row[i].split() or [""]] for i in range(len(widths))]
        words = [max(map(cell_len, column)) for column in split]
        widths = _narrowed(_narrowed(widths, [LEAST] * len(widths), width), words, width)
    lines = [line for row in rows for line in _row(row, widths)]
    return [*([presentable(sheet.title)] if sheet.title else []), *lines]


def _narrowed(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widest column above its least gives way until all fit, or until none can."""
    left = list(widths)
    while sum(left) + GAP * (len(left) - 1) > room:
        yielding = [i for i, width in enumerate(left) if width > least[i]]
        if not yielding:
            break
        left[max(yielding, key=lambda i: left[i])] -= 1
    return left


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Each cell broken between words where that is possible."""
    lines = [folded(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    rows = zip_longest(*lines, fillvalue="")
    return [(" " * GAP).join(map(fitted, row, widths)).rstrip() for row in rows]
