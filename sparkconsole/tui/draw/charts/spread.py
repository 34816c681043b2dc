"""How values spread: a histogram in blocks, the least and the greatest value under its ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from sparkconsole.model.text.units import axis_end, known
from sparkconsole.tui.draw.charts.spark import column_cell

MOST_FOR_FEW = 10
"""Columns for a handful of values; more values, more columns."""


def histogram(
    values: Sequence[float], width: int, height: int, *, style: str = "$chart-2", unit: str = "ms"
) -> list[Text]:
    """`height` lines of at most `width` cells, the last one the axis. Nothing for no values."""
    numbers = [v for v in values if known(v) is not None]
    if not numbers or height < 2 or width < 4:
        return []
    low, high = min(numbers), max(numbers)
    each = max(1, width // max(MOST_FOR_FEW, 2 * int(math.sqrt(len(numbers)))))
    counts = _counts(numbers, low, high, width // each)
    most, drawn = max(counts), range(height - 1)
    rows = ["".join(_cell(c, most, row, len(drawn)) * each for c in counts) for row in drawn]
    lines = [Text(row, style, no_wrap=True, end="") for row in rows]
    return [*lines, _axis(low, high, len(counts) * each, unit)]


def _counts(values: Sequence[float], low: float, high: float, columns: int) -> list[int]:
    """Columns for equal shares of the range; all in the first one when all values are the same."""
    counts = [0] * columns
    for value in values:
        share = (value - low) / (high - low) if high > low else 0.0
        counts[min(int(share * columns), columns - 1)] += 1
    return counts


def _cell(count: int, most: int, row: int, height: int) -> str:
    """What is there shows at least as one eighth."""
    eighths = max(round(count / most * height * 8), 1) if count else 0
    return column_cell(eighths, height - 1 - row)


def _axis(low: float, high: float, width: int, unit: str) -> Text:
    left, right = f"{axis_end(low)}", f"{axis_end(high)} {unit}"
    gap = width - len(left) - len(right)
    return Text(f"{left}{' ' * gap}{right}" if gap > 0 else right[:width], "$axis", no_wrap=True, end="")
