"""Logs of many nodes as one: merged by time into a ring, for as long as somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.line_ring import LineRing
from sparkconsole.fleet.log_sources import Source
from sparkconsole.model.log_line import Level, LogLine, log_line

WINDOW_S = 0.2
"""Lines that come within this time are put in order by their own times."""
AGAIN_S = 3.0
"""A log that ended or cannot be read is asked for again after this time."""
TAIL = 1000
HELD = 20_000
"""Lines that wait for their turn; a source faster than we are is held back, never ourselves."""


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
        self._fleet, self._sources, self._keep, self._tail = fleet, tuple(sources), keep, tail
        self._held: asyncio.Queue[LogLine] = asyncio.Queue(HELD)
        self._silent: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Follows until cancelled; ends by itself only when every source ended for good."""
        followers = [asyncio.create_task(self._follow(source)) for source in self._sources]
        merger = asyncio.create_task(self._merge())
        try:
            await asyncio.gather(*followers)
            await self._fleet.clock.sleep(WINDOW_S)
        finally:
            for task in (*followers, merger):
                task.cancel()
            await asyncio.gather(*followers, merger, return_exceptions=True)
            self._flush()

    async def _follow(self, source: Source) -> None:
        """One source; what keeps it from telling is a line too, said once."""
        while True:
            try:
                await self._read(source)
                if source.name not in ("container", "ray", "kernel"):
                    return
            except SparkError as error:
                await self._say(source, error)
            await self._fleet.clock.sleep(AGAIN_S)

    async def _read(self, source: Source) -> None:
        lines = source.lines(self._fleet, follow=True, tail=self._tail)
        async with contextlib.aclosing(lines):  # type: ignore[type-var]
            async for time, text in lines:
                self._silent.pop((source.node, source.name), None)
                line = log_line(text, node=source.node, source=source.name, time=time)
                if self._keep(line):
                    await self._held.put(line)

    async def _say(self, source: Source, error: SparkError) -> None:
        key = (source.node, source.name)
        if self._silent.get(key) == error.cause:
            return
        self._silent[key] = error.cause
        again = "; it goes on when the node is back" if isinstance(error, Unreachable) else ""
        text = log_line(f"✖ {source.name}: {error.cause}{again}", node=source.node, source=source.name)
        await self._held.put(
            LogLine(text.text, source.node, source.name, self._fleet.clock.now(), Level.WARNING)
        )

    async def _merge(self) -> None:
        while True:
            await self._fleet.clock.sleep(WINDOW_S)
            self._flush()

    def _flush(self) -> None:
        """What was held, in the order of its times; a line without one stays behind the line before it."""
        lines: list[tuple[float, int, LogLine]] = []
        newest: dict[tuple[str, str], datetime] = {}
        for count in range(self._held.qsize()):
            line = self._held.get_nowait()
            key = (line.node, line.source)
            at = line.at or newest.get(key)
            if at is not None:
                newest[key] = at
            lines.append((at.timestamp() if at else 0.0, count, line))
        lines.sort(key=lambda held: held[:2])
        for _, _, line in lines:
            self.ring.append(line)
