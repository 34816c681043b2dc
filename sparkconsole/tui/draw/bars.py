"""Bars, ages, sizes, rates and short names: values as a few cells of text. Unknown is `–`, never zero.

Styles are names of theme variables (`$bar`), resolved when drawn (tui.widgets.themed).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

UNKNOWN = "–"
EIGHTHS = " ▏▎▍▌▋▊▉█"
HOT, WARM = 0.95, 0.85


def known(value: float | None) -> float | None:
    """The value, None for what is no number."""
    return value if value is not None and math.isfinite(value) else None


def bar(share: float | None, width: int) -> str:
    """`▕█████████▉   ▏`, `width` cells with its two edges; empty when the share is not known.

    A share above nothing shows at least one eighth, and one below everything is never full.
    """
    inside = max(0, width - 2)
    share = known(share)
    eighths = 0 if share is None else round(min(max(share, 0.0), 1.0) * inside * 8)
    if share is not None and inside and 0 < share < 1:
        eighths = min(max(eighths, 1), inside * 8 - 1)
    full, rest = divmod(eighths, 8)
    filled = "█" * full + (EIGHTHS[rest] if rest else "")
    return f"▕{filled.ljust(inside)}▏" if width >= 2 else ""


def bar_text(share: float | None, width: int, *, warm: float = WARM, hot: float = HOT) -> Text:
    """The same in the colour of how full it is, on a track."""
    plain = bar(share, width)
    text = Text(plain, no_wrap=True, end="")
    if len(plain) > 2:
        text.stylize(f"{bar_style(share, warm, hot)} on $bar-track", 1, len(plain) - 1)
        text.stylize("$bar-track", 0, 1)
        text.stylize("$bar-track", len(plain) - 1, len(plain))
    return text


def work_bar(share: float | None, width: int) -> Text:
    """How far work is. Its end is no alarm: it has one colour, however full it is."""
    return bar_text(share, width, warm=math.inf, hot=math.inf)


def bar_style(share: float | None, warm: float = WARM, hot: float = HOT) -> str:
    """The variable for a bar that full."""
    share = known(share) or 0.0
    return "$bar-hot" if share >= hot else "$bar-warm" if share >= warm else "$bar"


def percent(share: float | None) -> str:
    """` 71 %`, always five cells; above 100 it says so."""
    share = known(share)
    whole = UNKNOWN if share is None else str(round(min(max(share * 100, 0), 999)))
    return f"{whole:>3} %"


def age(seconds: float | None) -> str:
    """`48s`, `3m`, `2h 10m`, `12 d`; whole units, rounded down: it never seems older than it is."""
    seconds = known(seconds)
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 86_400:
        minutes = whole // 60 % 60
        return f"{whole // 3600}h {minutes:02}m" if minutes else f"{whole // 3600}h"
    return f"{whole // 86_400} d"


def gib(count: float | None, digits: int = 1) -> str:
    """Bytes in GiB without the unit: `98.4`."""
    count = known(count)
    return UNKNOWN if count is None else f"{count / 2**30:.{digits}f}"


def used_of(used: float | None, total: float | None) -> str:
    """`98.4/119.7 GiB`."""
    return f"{gib(used)}/{gib(total)} GiB"


def binary_size(count: float | None) -> str:
    """`21.4 GiB`, at most four digits."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB"), 1000)


def rate(per_s: float | None) -> str:
    """Bytes a second with a decimal unit, as networks are sold: `11.8 GB/s`; nothing at all is `0 B/s`."""
    return _scaled(per_s, 1000, ("B/s", "kB/s", "MB/s", "GB/s", "TB/s"), 999.5)


def _scaled(value: float | None, step: int, units: Sequence[str], whole_below: float) -> str:
    """In the first unit in which it has at most three digits before the point; single bytes are whole."""
    value = known(value)
    if value is None:
        return UNKNOWN
    if abs(value) < whole_below:
        return f"{value:.0f} {units[0]}"
    for unit in units[1:-1]:
        value /= step
        if abs(value) < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / step:.1f} {units[-1]}"


def gigabytes(per_s: float | None) -> str:
    """`11.8`, the number before `GB/s`; what rounds to nothing but is not shows as `<0.1`."""
    per_s = known(per_s)
    if per_s is None:
        return UNKNOWN
    return "<0.1" if 0 < per_s < 5e7 else f"{per_s / 1e9:.1f}"


def tokens(per_s: float | None) -> str:
    """`41.2 tok/s`; from a thousand on without the fraction."""
    per_s = known(per_s)
    if per_s is None:
        return f"{UNKNOWN} tok/s"
    return f"{per_s:.0f} tok/s" if per_s >= 999.95 else f"{per_s:.1f} tok/s"


def fitted(text: str, width: int) -> str:
    """Exactly `width` cells: filled up with blanks, or cut with `…` at the end."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    return set_cell_size(text, width - 1) + "…" if width > 1 else "…"[: max(width, 0)]


def from_left(text: str, width: int) -> str:
    """At most `width` cells, the end of the text kept: `…-07`."""
    if cell_len(text) <= width:
        return text
    kept = ""
    for character in reversed(text):
        if cell_len(character + kept) > width - 1:
            break
        kept = character + kept
    return f"…{kept}" if width > 0 else ""


def short_names(names: Sequence[str], width: int) -> tuple[str, ...]:
    """Each name in at most `width` cells, keeping what tells them apart.

    The domain that all share goes first, then the beginning (`…-07`), then the end, then the middle; when
    nothing of that keeps them apart they get their numbers, from 1.
    """
    hosts = _without_domain(names)
    ways = (
        names,
        hosts,
        [from_left(h, width) for h in hosts],
        [fitted(h, width).rstrip() for h in hosts],
        [fitted(h if cell_len(h) <= width else f"…{h[_common(hosts) :]}", width).rstrip() for h in hosts],
    )
    for way in ways:
        if len({*way} - {"…"}) == len(set(names)) and all(cell_len(n) <= width for n in way):
            return tuple(way)
    return tuple(from_left(str(number), width) for number in range(1, len(names) + 1))


def _without_domain(names: Sequence[str]) -> list[str]:
    """Without what all have from some dot on; names that are addresses stay whole."""
    if len(set(names)) < 2 or any(n.replace(".", "").isdigit() for n in names):
        return list(names)
    domains = {n.partition(".")[2] for n in names}
    return [n.partition(".")[0] for n in names] if len(domains) == 1 else list(names)


def _common(names: Sequence[str]) -> int:
    """How many characters all names begin with."""
    low, high = min(names), max(names)
    return next((i for i, pair in enumerate(zip(low, high, strict=False)) if pair[0] != pair[1]), len(low))
