"""Sparklines: a series with gaps as one line of blocks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sparkconsole.model.text.units import known

EIGHTHS = " ▁▂▃▄▅▆▇█"
BLOCKS = EIGHTHS[1:]
GAP = " "


def spark(
    series: Sequence[float | None], width: int, *, low: float | None = 0.0, high: float | None = None
) -> str:
    """The newest values in `width` cells, right-aligned; a blank where nothing is known.

    When there are more values than cells each cell shows the highest of its share, so that no peak is lost.
    `low` and `high` fix the scale; None: the series' own. Values outside are drawn at its ends.
    """
    cells = buckets(series, max(0, width))
    values = [v for v in cells if v is not None]
    if not values:
        return GAP * max(0, width)
    bottom = min(values) if low is None else low
    top = max(values) if high is None else high
    return "".join(block(v, bottom, top) for v in cells).rjust(max(0, width))


def spark_text(
    series: Sequence[float | None],
    width: int,
    *,
    low: float | None = 0.0,
    high: float | None = None,
    style: str = "$spark-line",
) -> Text:
    """The same in the theme's colour."""
    return Text(spark(series, width, low=low, high=high), style, no_wrap=True, end="")


def block(value: float | None, low: float, high: float) -> str:
    """One cell; the lowest block still shows, because nothing is not unknown."""
    value = known(value)
    if value is None:
        return GAP
    share = (value - low) / (high - low) if high > low else 0.0
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))]


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
