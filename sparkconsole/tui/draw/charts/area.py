"""A series as an area of several lines: blocks in eighths, newest on the right, the scale on the left."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sparkconsole.model.text.units import axis_top, known
from sparkconsole.tui.draw.charts.spark import buckets, column_cell

SCALE = 6


def area(
    series: Sequence[float | None],
    width: int,
    height: int,
    *,
    high: float | None = None,
    unit: str = "",
    style: str = "$chart-1",
) -> list[Text]:
    """`height` lines of `width` cells; `high`: the top of the scale, else the highest value."""
    if height <= 0:
        return []
    room = max(width - SCALE - 1, 1)
    each = max(1, len(series) // room)
    values = buckets(tuple(series)[-each * room :], room)
    numbers = [v for v in values if v is not None]
    top = high if high is not None else rounded_up(max(numbers, default=0.0))
    blanks = room - len(values)
    return [_line(values, blanks, row, height, top, unit, style) for row in range(height)]


def _line(
    values: Sequence[float | None], blanks: int, row: int, height: int, top: float, unit: str, style: str
) -> Text:
    label = f"{axis_top(top)}{unit}" if row == 0 else "0" if row == height - 1 else ""
    line = Text(label.rjust(SCALE)[:SCALE], "$axis", no_wrap=True, end="").append("┤", "$axis")
    floor = height - 1 - row
    cells = "".join(_cell(v, floor, height, top) for v in values)
    return line.append(" " * blanks).append(cells, style)


def _cell(value: float | None, floor: int, height: int, top: float) -> str:
    """How much of this line the value fills; nothing known is a blank, and nothing at all a thin line."""
    value = known(value)
    if value is None:
        return " "
    eighths = round(min(max(value / top, 0.0), 1.0) * height * 8) if top > 0 else 0
    return column_cell(eighths if floor else max(eighths, 1), floor)


def rounded_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten, so that the scale does not change with every value."""
    value = known(value) or 0.0
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= value)
