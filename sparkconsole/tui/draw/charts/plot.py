"""Time series and distributions as lines of text, with their scale; each line is as wide as asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from sparkconsole.model.text.units import axis_number, known
from sparkconsole.tui.draw.charts.braille import Dots
from sparkconsole.tui.draw.columns import laid

Series = Sequence[float | None]
COLOURS = ("$chart-1", "$chart-2", "$chart-3", "$chart-4")
_NICE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
LEAST_WIDTH, LEAST_HEIGHT = 16, 2
"""Smaller charts have no scale."""


def nice(value: float) -> float:
    """The next round number at or above a positive value, so that a scale stays while values wander."""
    if not math.isfinite(value) or value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value)) if value > 1e-300 else 1e-300
    return float(next((n * power for n in _NICE if n * power >= value * (1 - 1e-9)), value))


def scale(every: Sequence[Series], low: float | None, high: float | None) -> tuple[float, float]:
    """Bottom and top: as given, else from zero (or below, for negative values) to the next round number."""
    values = [v for series in every for v in series if known(v) is not None and v is not None]
    least, most = min(values, default=0.0), max(values, default=0.0)
    bottom = low if low is not None else -nice(-least) if least < 0 else 0.0
    top = high if high is not None else nice(most) if most > 0 else 0.0
    return (bottom, top) if top > bottom else (bottom, bottom + 1.0)


def plot(
    every: Sequence[Series],
    width: int,
    height: int,
    *,
    low: float | None = None,
    high: float | None = None,
    span: int | None = None,
    fill: bool = False,
) -> list[Text]:
    """One to four series, `height` lines. The newest value stands at the right.

    `span`: how many values the width stands for; None: as many as the longest series has. More values than
    dots are drawn as the range of each share, so that no peak is lost. `fill`: the area under the first.
    """
    if width <= 0 or height <= 0:
        return [Text() for _ in range(max(0, height))]
    bottom, top = scale(every, low, high)
    labels = _labels(bottom, top, height) if width >= LEAST_WIDTH and height >= LEAST_HEIGHT else []
    wide = max((len(x) for x in labels), default=0)
    dots = Dots(width - (wide + 2 if labels else 0), height)
    longest = max((len(s) for s in every), default=0)
    for index in reversed(range(min(len(every), len(COLOURS)))):
        _draw(dots, every[index], bottom, top, max(span or longest, 1), COLOURS[index], fill and index == 0)
    if not labels:
        return dots.rows()
    return [_ruled(labels[y], wide, row, last=y == height - 1) for y, row in enumerate(dots.rows())]


def _labels(bottom: float, top: float, height: int) -> list[str]:
    """At the top, in the middle where there is one, and at the bottom."""
    marks = {0: top, height - 1: bottom}
    if height >= 5:
        middle = (height - 1) // 2
        marks[middle] = top - (top - bottom) * middle / (height - 1)
    return [axis_number(marks[y]) if y in marks else "" for y in range(height)]


def _ruled(label: str, wide: int, row: Text, *, last: bool) -> Text:
    tick = "┼" if last else "┤"
    return Text(f"{label:>{wide}} {tick}", "$axis", no_wrap=True, end="").append_text(_unstyled(row))


def _unstyled(row: Text) -> Text:
    """Without the base style, which would otherwise hold for the label too."""
    return Text("", no_wrap=True, end="").append_text(row)


def _draw(dots: Dots, series: Series, bottom: float, top: float, span: int, style: str, fill: bool) -> None:
    before: tuple[int, int] | None = None
    for x, values in _columns(series[-span:], span, dots.across):
        if not values:
            before = None
            continue
        heights = [_height(v, bottom, top, dots.down) for v in values]
        if before is not None:
            dots.line(*before, x, heights[0], style)
        dots.column(x, min(heights), max(heights), style)
        if fill:
            dots.column(x, min(heights), dots.down - 1, style)
            _fill_between(dots, before, (x, min(heights)), style)
        before = (x, heights[-1])


def _fill_between(dots: Dots, before: tuple[int, int] | None, now: tuple[int, int], style: str) -> None:
    if before is None:
        return
    (x0, y0), (x1, y1) = before, now
    for x in range(x0 + 1, x1):
        dots.column(x, y0 + round((y1 - y0) * (x - x0) / (x1 - x0)), dots.down - 1, style)


def _columns(series: Series, span: int, across: int) -> list[tuple[int, list[float]]]:
    """For each column of dots that has any: its place, and the first, lowest, highest and last value there.

    An empty list is a gap.
    """
    if across <= 0:
        return []
    if span <= across:
        step = (across - 1) / max(1, span - 1)
        first = span - len(series)
        return [(round((first + i) * step), _finite([v])) for i, v in enumerate(series)]
    # Shares are counted from the newest, so that a peak moves left as a whole while values come.
    each = -(-span // across)
    newest_first = list(reversed(series))
    shares = [newest_first[i : i + each] for i in range(0, len(newest_first), each)]
    step = (across - 1) / max(1, -(-span // each) - 1)
    kept = [(across - 1 - round(n * step), _finite(list(reversed(share)))) for n, share in enumerate(shares)]
    return [(x, [v[0], min(v), max(v), v[-1]] if v else []) for x, v in reversed(kept)]


def _finite(values: Sequence[float | None]) -> list[float]:
    return [v for v in values if v is not None and math.isfinite(v)]


def _height(value: float, bottom: float, top: float, down: int) -> int:
    share = min(1.0, max(0.0, (value - bottom) / (top - bottom)))
    return down - 1 - round(share * (down - 1))


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which that share lies, interpolated; None of nothing."""
    if not values:
        return None
    known_ = sorted(values)
    at = (len(known_) - 1) * share
    below = math.floor(at)
    above = min(below + 1, len(known_) - 1)
    return known_[below] + (known_[above] - known_[below]) * (at - below)


def histogram(values: Series, width: int, height: int, *, style: str = "$chart-1") -> list[Text]:
    """How the values lie between the least and the greatest, `height` lines; the last has the scale.

    Marks: `┊` under the curve at the median and at the 99th percentile.
    """
    numbers = _finite(values)
    if not numbers or width <= 0 or height <= 0:
        return [Text(" " * max(0, width)) for _ in range(max(0, height))]
    scaled = height > 1
    dots = Dots(width, height - scaled)
    for x, count in enumerate(_shares(numbers, dots.across)):
        if count:
            dots.column(x, dots.down - max(1, math.ceil(count * dots.down)), dots.down - 1, style)
    rows = [_unstyled(row) for row in dots.rows()]
    return [*rows, _foot(numbers, width)] if scaled else rows


def _shares(values: Sequence[float], across: int) -> list[float]:
    """How high each column of dots is. Few values make few, wide steps: finer ones would be noise."""
    low, high = min(values), max(values)
    steps = max(1, min(across, 8 + int(2 * math.sqrt(len(values)))))
    counts = [0] * steps
    for value in values:
        counts[_column(value, low, high, steps)] += 1
    most = max(counts)
    return [counts[x * steps // across] / most for x in range(across)]


def _column(value: float, low: float, high: float, across: int) -> int:
    half = high / 2 - low / 2
    share = (value / 2 - low / 2) / half if half > 0 else 0.5
    return min(across - 1, int(share * across))


def _foot(values: Sequence[float], width: int) -> Text:
    """Least and greatest at the ends, marks where the median and the 99th percentile stand."""
    low, high = min(values), max(values)
    left, right = axis_number(low), axis_number(high)
    line = laid(left, width) if len(left) + len(right) + 1 > width else left + right.rjust(width - len(left))
    text = Text(str(line), "$axis", no_wrap=True, end="")
    for share, mark in ((0.99, "99"), (0.5, "50")):
        at = _column(quantile(values, share) or 0.0, low, high, width)
        text = _marked(text, at, f"▲{mark}", len(left), width - len(right))
    return text


def _marked(text: Text, at: int, mark: str, begin: int, end: int) -> Text:
    """With a mark over blanks; where the label of an end stands it is left out."""
    room = text.plain[at : at + len(mark)]
    if at < begin or at + len(mark) > end or room.strip():
        mark = mark[:1]
    if at + len(mark) > len(text.plain) or text.plain[at : at + len(mark)].strip():
        return text
    line = text.copy()
    line.plain = text.plain[:at] + mark + text.plain[at + len(mark) :]
    line.stylize("$chart-3", at, at + len(mark))
    return line
