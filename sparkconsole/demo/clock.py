"""The pretend cluster's time: everything above it waits as it would, only shorter."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

SCRIPT_SPEED, PERSON_SPEED = 20.0, 1.0
"""Pretend seconds in a real one: nobody watches a script, and who watches a console wants real ones."""


class DemoClock:
    """`speed` pretend seconds pass in one real one."""

    def __init__(self, speed: float = SCRIPT_SPEED) -> None:
        self._speed, self._began, self._start = speed, time.monotonic(), datetime.now(UTC)

    def now(self) -> datetime:
        """The pretend wall clock, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Pretend seconds since the start."""
        return (time.monotonic() - self._began) * self._speed

    def at(self, seconds: float) -> datetime:
        """The wall clock at a moment of the pretend time."""
        return self._start + timedelta(seconds=seconds)

    def resume(self, start: datetime, passed: float) -> None:
        """Goes on where an earlier clock was: when that one began, and the pretend seconds since."""
        self._start, self._began = start, time.monotonic() - passed / self._speed

    async def sleep(self, seconds: float) -> None:
        """Waits that many pretend seconds."""
        await asyncio.sleep(seconds / self._speed)
