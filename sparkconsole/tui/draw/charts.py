"""Series, distributions and heat as lines of blocks. Nothing known is a blank."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from sparkconsole.model.text.units import axis_end, axis_top, known

EIGHTHS = " ▁▂▃▄▅▆▇█"
BLOCKS = EIGHTHS[1:]
GAP = " "
SCALE = 6
MOST_FOR_FEW = 10
"""Columns of a histogram for a handful of values; more values, more columns."""
LOST, UNKNOWN = "✖", "·"
MID, HIGH = 1 / 3, 0.85


def spark(series: Sequence[float | None], width: int, *, high: float | None = None) -> str:
    """The newest values in `width` cells, right-aligned; a blank where nothing is known.

    When there are more values than cells each cell shows the highest of its share, so that no peak is lost.
    `high` fixes the scale; None: the series' own. Values outside are drawn at its ends.
    """
    cells = buckets(series, width)
    top = max((v for v in cells if v is not None), default=0.0) if high is None else high
    return "".join(block(v, top) for v in cells).rjust(width)


def spark_text(series: Sequence[float | None], width: int, *, high: float | None = None) -> Text:
    """The same in the theme's colour."""
    return Text(spark(series, width, high=high), "$spark-line", no_wrap=True, end="")


def block(value: float | None, high: float) -> str:
    """One cell; the lowest block still shows, because nothing is not unknown."""
    value = known(value)
    if value is None:
        return GAP
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(_share(value, 0.0, high) * len(BLOCKS))))]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.0


def column_cell(eighths: int, floor: int) -> str:
    """The cell `floor` lines above the ground of a column that is so many eighths high."""
    return EIGHTHS[min(max(eighths - floor * 8, 0), 8)]


def buckets(series: Sequence[float | None], width: int) -> list[float | None]:
    """At most `width` values, the highest of each share; None where none is known.

    Shares have whole numbers of values and are counted from the newest, so that a peak does not flicker.
    """
    if width <= 0:
        return []
    each = -(-len(series) // width) or 1
    newest_first = list(reversed([known(v) for v in series]))
    shares = [newest_first[i : i + each] for i in range(0, len(newest_first), each)]
    return [max((v for v in share if v is not None), default=None) for share in reversed(shares)]


# --- areas


def area(
    series: Sequence[float | None],
    width: int,
    height: int,
    *,
    high: float | None = None,
    unit: str = "",
    style: str = "$chart-1",
) -> list[Text]:
    """`height` lines of `width` cells, newest on the right; `high`: the top of the scale on the left, else
    the highest value."""
    room = max(width - SCALE - 1, 1)
    each = max(1, len(series) // room)
    values = buckets(tuple(series)[-each * room :], room)
    top = rounded_up(max((v for v in values if v is not None), default=0.0)) if high is None else high
    lines = []
    for floor in reversed(range(height)):
        label = f"{axis_top(top)}{unit}" if floor == height - 1 else "" if floor else "0"
        cells = "".join(_area_cell(v, floor, height, top) for v in values)
        line = Text(f"{label.rjust(SCALE)[:SCALE]}┤", "$axis", no_wrap=True, end="")
        lines.append(line.append(" " * (room - len(values))).append(cells, style))
    return lines


def _area_cell(value: float | None, floor: int, height: int, top: float) -> str:
    """How much of this line the value fills; nothing at all is a thin line."""
    if value is None:
        return GAP
    eighths = round(min(max(value / top, 0.0), 1.0) * height * 8) if top > 0 else 0
    return column_cell(eighths if floor else max(eighths, 1), floor)


def rounded_up(value: float, steps: Sequence[float] = (1, 2, 5, 10, 20)) -> float:
    """The next of these times a power of ten, so that the scale does not change with every value."""
    value = known(value) or 0.0
    if value <= 0:
        return 1.0
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(step * power for step in steps if step * power >= value)


# --- distributions


def histogram(values: Sequence[float], width: int, height: int) -> list[Text]:
    """How values spread, in `height` lines of at most `width` cells, the last one the axis: the least and
    the greatest, in ms. Nothing for no values."""
    numbers = [v for v in values if known(v) is not None]
    if not numbers or height < 2 or width < 4:
        return []
    low, high = min(numbers), max(numbers)
    each = max(1, width // max(MOST_FOR_FEW, 2 * int(math.sqrt(len(numbers)))))
    counts = [0] * (width // each)
    for number in numbers:
        counts[min(int(_share(number, low, high) * len(counts)), len(counts) - 1)] += 1
    most = max(counts)
    # What is there shows at least as one eighth.
    eighths = [max(round(count / most * (height - 1) * 8), 1) if count else 0 for count in counts]
    rows = ["".join(column_cell(e, floor) * each for e in eighths) for floor in reversed(range(height - 1))]
    lines = [Text(row, "$chart-2", no_wrap=True, end="") for row in rows]
    left, right, drawn = axis_end(low), f"{axis_end(high)} ms", len(counts) * each
    gap = drawn - len(left) - len(right)
    axis = f"{left}{' ' * gap}{right}" if gap > 0 else right[:drawn]
    return [*lines, Text(axis, "$axis", no_wrap=True, end="")]


# --- heat: many nodes as one cell each. Height says it as well as colour; lost is `✖`


def heat_strip(values: Sequence[float | None], width: int, *, lost: Sequence[bool] = ()) -> Text:
    """One cell a node as given, `values` from 0 to 1; at most `width` cells, `…` for the rest."""
    cells = _heat_cells(values, lost)
    room = len(cells) if len(cells) <= width else max(0, width - 1)
    text = Text(no_wrap=True, end="").join(Text(*cell) for cell in cells[:room])
    return text.append("…", "$muted") if room < len(cells) and width > 0 else text


def heat_grid(
    values: Sequence[float | None], columns: int, *, lost: Sequence[bool] = (), cell: int = 2
) -> list[Text]:
    """The same in rows of `columns` nodes, each `cell` cells wide with a blank between."""
    cells = [Text(glyph * cell, style) for glyph, style in _heat_cells(values, lost)]
    gap = Text(" ", no_wrap=True, end="")
    return [gap.join(cells[begin : begin + columns]) for begin in range(0, len(cells), columns)]


def _heat_cells(values: Sequence[float | None], lost: Sequence[bool]) -> list[tuple[str, str]]:
    return [heat_cell(v, lost=i < len(lost) and lost[i]) for i, v in enumerate(values)]


def heat_cell(value: float | None, *, lost: bool = False) -> tuple[str, str]:
    """Glyph and style of one node."""
    value = known(value)
    if lost:
        return LOST, "$node-lost"
    if value is None:
        return UNKNOWN, "$node-none"
    style = "$heat-high" if value >= HIGH else "$heat-mid" if value >= MID else "$heat-low"
    return block(value, 1.0), style
