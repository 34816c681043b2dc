"""When a machine whose GPU shares its memory will stand still: there is no out-of-memory error before that.

Below the freeze line neither the GPU's driver nor the kernel's killer helps in time: a Spark hangs for
minutes or for ever (about 115 of 121 GiB used). The trend says how long it is until then.

After a server has ended its memory comes back within seconds to a minute. A start that does not wait finds
too little and ends; one that waits for what never comes back wastes time. What decides is whether it grows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from sparkconsole.model.text.units import size

FREEZE_LINE = 4 << 30
"""Bytes available below which a Spark stands still."""
LINE_SHARE = 0.035
"""Of a smaller machine's memory: its line is lower."""
NEAR, FAR, ROOM = 1.5, 4.0, 3.0
"""In lines: below the first it is tight as it is; only below the second a trend counts; above the third it is
fine again."""
WINDOW_S, LEAST_S, SOON_S = 30.0, 5.0, 60.0
"""Of the trend: how far back, how much of it there has to be, and what is near in time."""
STALLED_PERCENT = 20.0
"""PSI, `memory full`: for so much of ten seconds nobody could go on."""
SWAPPED = 1 << 30
"""Bytes that went to swap within the window, while memory is short."""


class Alarm(IntEnum):
    """How near it is."""

    CALM = 0
    NEAR = 1
    LINE = 2


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """One reading. Bytes; `stalled` is PSI's `memory full` over ten seconds, in percent."""

    at_s: float
    available: int
    swapped: int = 0
    stalled: float | None = None


@dataclass(frozen=True, slots=True)
class MemoryVerdict:
    """What the readings mean together."""

    alarm: Alarm
    available: int = 0
    to_line_s: float | None = None
    """Until the line is reached, as it goes now; None: it does not fall."""
    sentence: str = ""
    """For an event or a card; empty while calm."""


def freeze_line(total: int) -> int:
    """Bytes available below which a machine of that memory stands still."""
    return min(FREEZE_LINE, int(total * LINE_SHARE))


def judge_memory(points: Sequence[MemoryPoint], total: int) -> MemoryVerdict:
    """The newest reading in the light of those before it; points are in the order of time."""
    if not points or total <= 0:
        return MemoryVerdict(Alarm.CALM)
    now, line = points[-1], freeze_line(total)
    recent = [p for p in points if now.at_s - p.at_s <= WINDOW_S]
    to_line_s, swapped = _to_line(recent, line), now.swapped - min(p.swapped for p in recent)
    soon = to_line_s is not None and to_line_s <= SOON_S
    left, tight, short = size(now.available), now.available < line * NEAR, now.available < line * FAR
    stalls = (now.stalled or 0.0) >= STALLED_PERCENT
    cases = (
        (now.available < line, Alarm.LINE, f"memory is below the freeze line: {left} left"),
        (tight and stalls, Alarm.LINE, f"memory stalls everything, {left} left: it is about to freeze"),
        (short and soon, Alarm.NEAR, f"{left} left, at this rate it freezes in {to_line_s or 0:.0f} s"),
        (tight, Alarm.NEAR, f"{left} left"),
        (short and swapped >= SWAPPED, Alarm.NEAR, f"{left} left, and {size(swapped)} went to swap"),
        (True, Alarm.CALM, ""),
    )
    alarm, why = next((alarm, why) for is_so, alarm, why in cases if is_so)
    nearly = "memory nearly full: " if alarm is Alarm.NEAR else ""
    return MemoryVerdict(alarm, now.available, to_line_s, nearly + why)


def _to_line(points: Sequence[MemoryPoint], line: int) -> float | None:
    """By the straight line that fits the window best; None when it does not fall, or too little is known."""
    count, spans = len(points), points[-1].at_s - points[0].at_s
    if count < 3 or spans < LEAST_S:
        return None
    mean_s = sum(p.at_s for p in points) / count
    mean = sum(p.available for p in points) / count
    spread = sum((p.at_s - mean_s) ** 2 for p in points)
    slope = sum((p.at_s - mean_s) * (p.available - mean) for p in points) / spread
    if slope >= 0:
        return None
    return max(0.0, (points[-1].available - line) / -slope)


class MemoryWatch:
    """Fed with a node's readings; the verdict rises at once and falls only when there is room again."""

    def __init__(self) -> None:
        self._points: deque[MemoryPoint] = deque(maxlen=120)
        self.verdict = MemoryVerdict(Alarm.CALM)

    def add(self, point: MemoryPoint, total: int) -> MemoryVerdict:
        """The verdict after one more reading."""
        self._points.append(point)
        found, before = judge_memory(self._points, total), self.verdict
        if found.alarm < before.alarm and point.available <= freeze_line(total) * ROOM:
            found = MemoryVerdict(before.alarm, point.available, found.to_line_s, before.sentence)
        self.verdict = found
        return found


GROWTH_S = 3.0
"""Growth is looked for over this time."""
LEAST_GROWTH = 100_000_000
"""Bytes within the window; less is what any machine does by itself."""
USUAL_SHARE = 0.9
"""Of the memory, as vLLM takes it when it is not told."""


class MemoryReturn(StrEnum):
    """Whether the memory that an ended server held comes back."""

    ENOUGH = "enough"
    COMES = "comes back"
    STAYS = "stays away"
    UNKNOWN = "not known yet"

    @property
    def is_near(self) -> bool:
        """It is there, or on its way."""
        return self in (MemoryReturn.ENOUGH, MemoryReturn.COMES)


def judge_return(seen: Sequence[MemoryPoint], needed: int) -> MemoryReturn:
    """Of the readings so far, in the order of time."""
    if not seen:
        return MemoryReturn.UNKNOWN
    now = seen[-1]
    if now.available >= needed:
        return MemoryReturn.ENOUGH
    window = [f for f in seen if now.at_s - f.at_s <= GROWTH_S]
    if now.available - min(f.available for f in window) >= LEAST_GROWTH:
        return MemoryReturn.COMES
    return MemoryReturn.STAYS if now.at_s - seen[0].at_s >= GROWTH_S else MemoryReturn.UNKNOWN


def waits_for(now: int, needed: int) -> str:
    """What is waited for, in a sentence."""
    return f"waits for the memory of the earlier server: {size(now)} of {size(needed)} are available"
