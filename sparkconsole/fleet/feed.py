"""Logs of many nodes as one: merged by time into a ring, for as long as somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.line_ring import LineRing
from sparkconsole.fleet.log_sources import Source
from sparkconsole.model.log_line import Level, LogLine, log_line

WINDOW_S = 0.2
"""Lines that come within this time are put in order by their own times."""
PATIENCE = 5
"""Windows for which the first lines wait for every source, so that what was before is in order too."""
AGAIN_S = 3.0
"""A log that ended or cannot be read is asked for again after this time."""
TAIL, FEWEST = 1000, 50
HELD = 10_000
"""Lines that wait for their turn; a source faster than we are is held back, never ourselves."""
TURN, APPENDED = 128, 2000
"""Lines, of all sources together, that are taken before others have their turn; measured: 1 ms."""


class Feed:
    """`run` follows the sources until it is cancelled; run again, they go on where they were left."""

    def __init__(
        self,
        fleet: Fleet,
        sources: Sequence[Source],
        *,
        ring: LineRing[LogLine] | None = None,
        keep: Callable[[LogLine], bool] = lambda _: True,
        tail: int = TAIL,
    ) -> None:
        self.ring: LineRing[LogLine] = LineRing() if ring is None else ring
        self._fleet, self._sources, self._keep = fleet, tuple(sources), keep
        count = max(len(self._sources), 1)
        self._tail = min(tail, max(FEWEST, self.ring.capacity // count))
        self._turn = max(TURN // count, 1)
        self._held: list[tuple[float, int, LogLine]] = []
        self._ordered: deque[LogLine] = deque()
        self._count, self._room = 0, asyncio.Event()
        self._newest: dict[int, datetime] = {}
        self._told = [0] * len(self._sources)
        self._begun: set[int] = set()
        self._silent: dict[int, str] = {}

    async def run(self) -> None:
        """Follows until cancelled; ends by itself only when every source ended for good."""
        followers = [asyncio.create_task(self._follow(n, s)) for n, s in enumerate(self._sources)]
        merger = asyncio.create_task(self._merge())
        try:
            await asyncio.gather(*followers)
            await self._fleet.clock.sleep(WINDOW_S)
        finally:
            for task in (*followers, merger):
                task.cancel()
            await asyncio.gather(*followers, merger, return_exceptions=True)
            self._order()
            self._append(len(self._ordered))

    # --- reading

    async def _follow(self, number: int, source: Source) -> None:
        """One source; what keeps it from telling is a line too, said once."""
        while True:
            try:
                await self._read(number, source)
                if source.name not in ("container", "ray", "kernel"):
                    return
            except SparkError as error:
                await self._say(number, source, error)
            finally:
                self._begun.add(number)
            await self._fleet.clock.sleep(AGAIN_S)

    async def _read(self, number: int, source: Source) -> None:
        lines = source.lines(self._fleet, follow=True, tail=self._tail)
        async with contextlib.aclosing(lines):  # type: ignore[type-var]
            async for time, text in lines:
                self._silent.pop(number, None)
                line = log_line(text, node=source.node, source=source.name, time=time)
                self._told[number] += 1
                if self._told[number] % self._turn == 0:
                    await asyncio.sleep(0)
                if self._keep(line):
                    await self._hold(number, line)

    async def _hold(self, number: int, line: LogLine) -> None:
        """Takes a line; one without a time belongs to the line before it, or to the moment it came."""
        while len(self._held) >= HELD:
            self._room.clear()
            await self._room.wait()
        at = line.at or self._newest.get(number) or self._fleet.clock.now()
        if line.at is not None:
            self._newest[number] = line.at
        self._count += 1
        self._held.append((at.timestamp(), self._count, line))

    async def _say(self, number: int, source: Source, error: SparkError) -> None:
        if self._silent.get(number) == error.cause:
            return
        self._silent[number] = error.cause
        again = "; it goes on when the node is back" if isinstance(error, Unreachable) else ""
        text = log_line(f"✖ {source.name}: {error.cause}{again}").text
        now = self._fleet.clock.now()
        await self._hold(number, LogLine(text, source.node, source.name, now, Level.WARNING))

    # --- merging

    async def _merge(self) -> None:
        await self._every_source_began()
        while True:
            self._order()
            while self._ordered:
                self._append(APPENDED)
                await asyncio.sleep(0)
            await self._fleet.clock.sleep(WINDOW_S)

    async def _every_source_began(self) -> None:
        """Told what it had and paused, or cannot; or the patience is over, or there is no more room."""
        for _ in range(PATIENCE):
            before = list(self._told)
            await self._fleet.clock.sleep(WINDOW_S)
            paused = {n for n, told in enumerate(self._told) if told and told == before[n]}
            if self._begun | paused >= set(range(len(self._sources))) or len(self._held) >= HELD:
                return

    def _order(self) -> None:
        """What is held, in the order of its times; from then on there is room again."""
        held, self._held = self._held, []
        self._room.set()
        held.sort()
        self._ordered.extend(line for _, _, line in held)

    def _append(self, most: int) -> None:
        for _ in range(min(most, len(self._ordered))):
            self.ring.append(self._ordered.popleft())
