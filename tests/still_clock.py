"""A pretend cluster's time that stands until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

STILL_START = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_ROUNDS, _IDLE = 5000, 8
"""Turns of the event loop that whoever was woken gets at most, and how many without work are the end."""
_THREAD_S = 0.001
"""Real seconds between looks at threads that are still at work."""


class StillClock:
    """Time stands until `advance` moves it; the same steps give the same screen, on every day."""

    def __init__(self, start: datetime = STILL_START) -> None:
        self._start, self._now, self._count = start, 0.0, 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The pretend wall clock, in UTC."""
        return self._start + timedelta(seconds=self._now)

    def monotonic(self) -> float:
        """Pretend seconds since the start."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Waits until time was moved that far; no time at all only lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Moves time on. Each sleeper wakes at its own time, in order, and does what it does before the next

        one wakes: whoever sleeps again within these seconds wakes again.
        """
        until = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            if not self._sleepers or self._sleepers[0][0] > self._now:
                await settle()
        self._now = until
        await settle()


async def settle() -> None:
    """Lets everybody run until nobody has anything to do: questions over local sockets are answered too, and

    what is done in a thread is waited for.
    """
    loop = asyncio.get_running_loop()
    ready, idle = getattr(loop, "_ready", ()), 0
    for _ in range(_ROUNDS):
        threads = _threads_at_work(loop)
        await asyncio.sleep(_THREAD_S if threads else 0)
        idle = 0 if ready or threads else idle + 1
        if idle == _IDLE:
            return


def _threads_at_work(loop: asyncio.AbstractEventLoop) -> bool:
    """Somebody waits for `asyncio.to_thread`."""
    pool = getattr(loop, "_default_executor", None)
    if pool is None:
        return False
    return bool(pool._work_queue.qsize() or pool._idle_semaphore._value < len(pool._threads))
