"""Time, where it can be replaced: the pretend cluster has its own clock. And tasks, ended for certain."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar, overload

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")


class Clock(Protocol):
    """Wall time, running time, and waiting."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that only ever grow."""

    async def sleep(self, seconds: float) -> None:
        """Waits."""


class Allowance:
    """So much at once, and so much a second afterwards."""

    def __init__(self, at_once: float, per_s: float, now_s: float = 0.0) -> None:
        self._most, self._per_s, self._left, self._then_s = at_once, per_s, at_once, now_s

    def takes(self, amount: float, now_s: float) -> bool:
        """Counts it; False when it is too much, and does not count."""
        passed, self._then_s = max(0.0, now_s - self._then_s), now_s
        left = min(self._most, self._left + passed * self._per_s)
        self._left = left - amount if amount <= left else left
        return amount <= left


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def cancelled(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Ends them and waits until each is over, whatever came of it."""
    ending = tuple(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)


@overload
async def together(_1: Awaitable[T], _2: Awaitable[U], /) -> tuple[T, U]: ...
@overload
async def together(_1: Awaitable[T], _2: Awaitable[U], _3: Awaitable[V], /) -> tuple[T, U, V]: ...
@overload
async def together(*works: Awaitable[T]) -> list[T]: ...
async def together(*works: Awaitable[Any]) -> Any:
    """As `asyncio.gather`; but where it is cancelled, or one fails, it returns once every one has ended."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            # What is being cancelled may be cleaning up: a second time would cut that short.
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def sleep_unless(event: asyncio.Event, clock: Clock, seconds: float) -> None:
    """Waits that long, or until the event is set."""
    waits = [asyncio.create_task(clock.sleep(seconds)), asyncio.create_task(event.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancelled(waits)
