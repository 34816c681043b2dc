"""Bars and short names: values as a few cells of text.

Styles are names of theme variables (`$bar`), resolved when drawn (tui.widgets.themed).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import takewhile

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from sparkconsole.model.text.units import known
from sparkconsole.tui.draw.frame import plain

EIGHTHS = " ▏▎▍▌▋▊▉█"
HOT, WARM = 0.95, 0.85


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
    common = len([*takewhile(lambda letters: len({*letters}) == 1, zip(*hosts, strict=False))])
    ways = (
        names,
        hosts,
        [from_left(h, width) for h in hosts],
        [fitted(h, width).rstrip() for h in hosts],
        [fitted(h if cell_len(h) <= width else f"…{h[common:]}", width).rstrip() for h in hosts],
    )
    for way in ways:
        if len({*way} - {"…"}) == len(set(names)) and all(cell_len(n) <= width for n in way):
            return tuple(way)
    return tuple(from_left(str(number), width) for number in range(1, len(names) + 1))


def number_heads(names: Sequence[str], width: int = 2) -> dict[str, str]:
    """What tells the names apart, in so many cells, for the heads of narrow columns: `01`."""
    return {n: s.lstrip("…") for n, s in zip(names, short_names(names, width + 1), strict=True)}


def named(names: Sequence[str], most: int = 3) -> str:
    """`spark-01, spark-02`; of many the first few and how many more."""
    shown = ", ".join(plain(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _without_domain(names: Sequence[str]) -> list[str]:
    """Without what all have from some dot on; names that are addresses stay whole."""
    if len(set(names)) < 2 or any(n.replace(".", "").isdigit() for n in names):
        return list(names)
    domains = {n.partition(".")[2] for n in names}
    return [n.partition(".")[0] for n in names] if len(domains) == 1 else list(names)
