"""Whether the memory of an earlier server still comes back: a hundred gigabytes take seconds to a minute.

A start that does not wait for them finds too little and ends; one that waits for what never comes back wastes
time. What decides is whether the available memory grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sparkconsole.model.serve.memory_guard import MemoryPoint
from sparkconsole.model.text.units import size

WINDOW_S = 3.0
"""Growth is looked for over this time."""
LEAST_GROWTH = 100_000_000
"""Bytes within the window; less is what any machine does by itself."""
USUAL_SHARE = 0.9
"""Of the memory, as vLLM takes it when it is not told."""


class Return(StrEnum):
    """How it stands."""

    ENOUGH = "enough"
    COMES = "comes back"
    STAYS = "stays away"
    UNKNOWN = "not known yet"


def judge_return(seen: Sequence[MemoryPoint], needed: int) -> Return:
    """Of the readings so far, in the order of time."""
    if not seen:
        return Return.UNKNOWN
    now = seen[-1]
    if now.available >= needed:
        return Return.ENOUGH
    window = [f for f in seen if now.at_s - f.at_s <= WINDOW_S]
    if now.available - min(f.available for f in window) >= LEAST_GROWTH:
        return Return.COMES
    return Return.STAYS if now.at_s - seen[0].at_s >= WINDOW_S else Return.UNKNOWN


def waits_for(now: int, needed: int) -> str:
    """What is waited for, in a sentence."""
    return f"waits for the memory of the earlier server: {size(now)} of {size(needed)} are available"
