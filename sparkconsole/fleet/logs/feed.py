"""Merged logs kept in a ring for a view, read for as long as somebody looks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.logs.merge import LogMerge, MergedLine, Sources
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.logs.line import Level, LogLine, log_line

TAIL, FEWEST = 1000, 50


class Feed:
    """`begin` follows the sources until it is told to stop; begun again, they go on where they were left."""

    def __init__(
        self,
        fleet: Fleet,
        sources: Sources,
        *,
        ring: LineRing[LogLine] | None = None,
        keep: Callable[[str], bool] | None = None,
        tail: int = TAIL,
    ) -> None:
        self.ring: LineRing[LogLine] = LineRing() if ring is None else ring
        count = len(sources() if callable(sources) else sources)
        share = min(tail, max(FEWEST, self.ring.capacity // max(count, 1)))
        self._merge = LogMerge(fleet, sources, tail=share, keep=keep)

        self._task: asyncio.Task[None] | None = None

    @property
    def reading(self) -> bool:
        """It was begun and not stopped."""
        return self._task is not None

    def begin(self) -> None:
        """Reads in the background, or goes on to."""
        if self._task is None:
            self._task = asyncio.create_task(self.run(), name="log feed")

    def stop(self) -> None:
        """Reads no more; what was read stays."""
        if self._task is not None:
            self._task.cancel()
        self._task = None

    async def rest(self) -> None:
        """The same, and waits until nothing is left running."""
        task = self._task
        self.stop()
        if task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def run(self) -> None:
        """Follows until cancelled; ends by itself only when every source of a fixed list ended."""
        try:
            async with contextlib.aclosing(self._merge.followed()) as coming:
                async for entries in coming:
                    self._take(entries)
        finally:
            self._take(self._merge.rest())

    def _take(self, entries: Sequence[MergedLine]) -> None:
        for entry in entries:
            self.ring.append(as_line(entry))


def as_line(entry: MergedLine) -> LogLine:
    """As the views show it; what keeps a source from being read warns."""
    source = entry.source
    if entry.about_source:
        text = log_line(f"{'✖' if entry.error else '·'} {entry.text}").text
        level = Level.WARNING if entry.error else Level.INFO
        return LogLine(text, source.node, entry.at, level)
    return log_line(entry.text, node=source.node, time=entry.time)
