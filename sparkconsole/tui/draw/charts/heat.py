"""Heat: many nodes as one cell each, in a strip or a grid. Height says it as well as colour; lost is `✖`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sparkconsole.model.text.units import known
from sparkconsole.tui.draw.charts.spark import block

LOST = "✖"
UNKNOWN = "·"
MID, HIGH = 1 / 3, 0.85


def heat_strip(
    values: Sequence[float | None], width: int, *, lost: Sequence[bool] = (), high: float = 1.0
) -> Text:
    """One cell a node as given, `values` from 0 to `high`; at most `width` cells, `…` for the rest."""
    cells = [heat_cell(v, high, lost=i < len(lost) and lost[i]) for i, v in enumerate(values)]
    text = Text(no_wrap=True, end="")
    room = len(cells) if len(cells) <= width else max(0, width - 1)
    for glyph, style in cells[:room]:
        text.append(glyph, style)
    return text.append("…", "$muted") if room < len(cells) and width > 0 else text


def heat_grid(
    values: Sequence[float | None],
    columns: int,
    *,
    lost: Sequence[bool] = (),
    high: float = 1.0,
    cell: int = 2,
) -> list[Text]:
    """The same in rows of `columns` nodes, each `cell` cells wide with a blank between."""
    rows = []
    each = max(1, columns)
    for begin in range(0, len(values), each):
        row = Text(no_wrap=True, end="")
        for i in range(begin, min(begin + each, len(values))):
            glyph, style = heat_cell(values[i], high, lost=i < len(lost) and lost[i])
            row.append(glyph * max(1, cell), style)
            row.append(" ")
        row.rstrip()
        rows.append(row)
    return rows


def heat_cell(value: float | None, high: float = 1.0, *, lost: bool = False) -> tuple[str, str]:
    """Glyph and style of one node."""
    value = known(value)
    if lost:
        return LOST, "$node-lost"
    if value is None or high <= 0:
        return UNKNOWN, "$node-none"
    share = value / high
    style = "$heat-high" if share >= HIGH else "$heat-mid" if share >= MID else "$heat-low"
    return block(value, 0.0, high), style
