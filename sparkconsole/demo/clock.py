"""The pretend cluster's time: everything above it waits as it would, only shorter."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class DemoClock:
    """`speed` pretend seconds pass in one real one."""

    def __init__(self, speed: float = 20.0) -> None:
        self._speed, self._began, self._start = speed, time.monotonic(), datetime.now(UTC)

    def now(self) -> datetime:
        """The pretend wall clock, in UTC."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Pretend seconds since the start."""
        return (time.monotonic() - self._began) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Waits that many pretend seconds."""
        await asyncio.sleep(seconds / self._speed)
