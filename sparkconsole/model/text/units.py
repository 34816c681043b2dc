"""Sizes, rates, durations, times and the numbers of an axis. What is not known is `–`, never zero."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime

UNKNOWN = "–"
_NANOSECONDS = re.compile(r"(\.\d{6})\d+")


def known(value: float | None) -> float | None:
    """The value, None for what is no number."""
    return value if value is not None and math.isfinite(value) else None


def percent(share: float | None) -> str:
    """` 71 %`, always five cells; above 100 it says so."""
    share = known(share)
    whole = UNKNOWN if share is None else str(round(min(max(share * 100, 0), 999)))
    return f"{whole:>3} %"


# --- sizes


def _scaled(value: float, units: Sequence[str], base: int, *, most_bytes: float, most: float) -> str:
    """Bytes whole, larger units with one digit behind the point; the next unit from `most` on."""
    for unit in units[:-1]:
        if abs(value) < (most_bytes if unit is units[0] else most):
            return f"{value:.0f} {unit}" if unit is units[0] else f"{value:.1f} {unit}"
        value /= base
    return f"{value:.1f} {units[-1]}"


def size(count: float) -> str:
    """Bytes with a decimal unit, as docker prints them."""
    return _scaled(count, ("B", "kB", "MB", "GB", "TB"), 1000, most_bytes=1000, most=1000)


def binary_size(count: float | None) -> str:
    """`21.4 GiB`, at most four digits."""
    if (count := known(count)) is None:
        return UNKNOWN
    return _scaled(count, ("B", "KiB", "MiB", "GiB", "TiB"), 1024, most_bytes=1000, most=999.95)


def gib(count: float | None, digits: int = 1) -> str:
    """Bytes in GiB without the unit: `98.4`."""
    count = known(count)
    return UNKNOWN if count is None else f"{count / 2**30:.{digits}f}"


def used_of(used: float | None, total: float | None) -> str:
    """`98.4/119.7 GiB`."""
    return f"{gib(used)}/{gib(total)} GiB"


def vllm_gib(count: float) -> str:
    """Memory as vLLM says it: `98.42 GiB`."""
    return f"{gib(count, 2)} GiB"


# --- rates


def byte_rate(per_s: float | None) -> str:
    """Bytes a second with a decimal unit, as networks are sold: `11.8 GB/s`; nothing at all is `0 B/s`."""
    if (per_s := known(per_s)) is None:
        return UNKNOWN
    return _scaled(per_s, ("B/s", "kB/s", "MB/s", "GB/s", "TB/s"), 1000, most_bytes=999.5, most=999.95)


def gigabyte_rate(per_s: float | None) -> str:
    """`11.8`, the number before `GB/s`; what rounds to nothing but is not shows as `<0.1`."""
    per_s = known(per_s)
    if per_s is None:
        return UNKNOWN
    return "<0.1" if 0 < per_s < 5e7 else f"{per_s / 1e9:.1f}"


def token_rate(per_s: float | None) -> str:
    """`41.2 tok/s`; from a thousand on without the fraction."""
    per_s = known(per_s)
    if per_s is None:
        return f"{UNKNOWN} tok/s"
    return f"{per_s:.0f} tok/s" if per_s >= 999.95 else f"{per_s:.1f} tok/s"


# --- durations


def hms(seconds: float) -> str:
    """`00:41:12`, to the nearest second."""
    whole = round(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def stopwatch(seconds: float | None) -> str:
    """`01:04`, from an hour on `1:01:04`; whole seconds that have passed."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    short = f"{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 3600}:{short}" if whole >= 3600 else short


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


def minutes_and_seconds(seconds: float) -> str:
    """`2 min 5 s`, `48 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def minutes_or_seconds(seconds: float) -> str:
    """`84 s`, from 100 seconds on `2 min`: an estimate."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


# --- times


def moment(text: str) -> datetime | None:
    """A time as a log stamps it; nanoseconds are cut. A time without a zone is UTC."""
    try:
        at = datetime.fromisoformat(_NANOSECONDS.sub(r"\1", text))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) if in_every_zone(at) else None


def in_every_zone(at: datetime) -> bool:
    """Any place can tell it in its own time: at both ends of the calendar it cannot, and nothing happened."""
    return MINYEAR < at.year < MAXYEAR


# --- axes


def axis_top(value: float) -> str:
    """Three digits: `12G`, `850M`, `2k`, `41`."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def axis_end(value: float) -> str:
    """`12.3`, from a hundred on `123`; no letter: the unit stands behind it."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}"


def four_digits(value: float | None) -> str:
    """Four digits or so: `0.51`, `24.1`, `1834`."""
    if value is None:
        return UNKNOWN
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
