"""A sheet as lines of plain text, columns aligned by the cells a terminal gives them."""

from __future__ import annotations

from rich.cells import cell_len

from sparkconsole.model.answer import Sheet
from sparkconsole.model.text import printable


def sheet_lines(sheet: Sheet) -> list[str]:
    """Title, header, rows; cells are shown on one line each."""
    rows = [[_cell(c) for c in row] for row in (sheet.columns, *sheet.rows)]
    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(sheet.columns))]
    lines = [
        "  ".join(c + " " * (w - cell_len(c)) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [*([printable(sheet.title)] if sheet.title else []), *lines]


def _cell(text: str) -> str:
    return " ".join(printable(text).split())
