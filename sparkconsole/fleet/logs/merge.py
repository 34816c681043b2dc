"""Logs of many nodes as one, in the order of their times: printed once, or followed while somebody reads.

Both faces read logs here. A source that ends or is cut off is taken up again where it was left.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sparkconsole.clock import Allowance, cancelled, together
from sparkconsole.errors import (
    Absent,
    ChangedHostKey,
    SparkError,
    TimedOut,
    TooMuch,
    UnknownHostKey,
    Unreachable,
)
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.logs.sources import LINE_BYTES, Source, Stamped
from sparkconsole.model.text.redact import LineRedactor
from sparkconsole.model.text.units import moment

WINDOW_S = 0.2
"""Lines that come within this time are put in order by their own times."""
PATIENCE = 5
"""Windows for which the first lines wait for every source, so that what was before is in order too."""
AGAIN_S = 3.0
"""After this time a log that ended or cannot be read is asked for again, and the list of sources too."""
REMIND_S = 15.0
"""So often it is said again that a node's log is awaited."""
RECONNECT_FOR_S = 600.0
HELD, HELD_CHARS = 10_000, 16 << 20
"""Lines that wait for their turn; a source faster than we are is held back, never ourselves."""
AT_ONCE, PER_S = 4 << 20, 3 << 20
"""Characters of a followed log that are taken at once, and a second afterwards, LINE_BYTES more a line.

A node may send more than we can clean of secrets; what nobody floods has less than 5,000 lines a second.
"""
KEPT, MOST_READ = 100_000, 64 << 20
"""Of one source, printed once: the last lines that are kept, and bytes that are read; a line costs some."""
ONCE_S = 15.0
"""Printed once, so long is a source waited for that says nothing more: its engine gives up after 10 s."""
TURN, CHUNK = 128, 2000
"""Lines, of all sources together, that are taken before others have their turn; measured: 1 ms."""


@dataclass(frozen=True, slots=True)
class MergedLine:
    """A line of a source, or (`about_source`) a sentence about it."""

    source: Source
    at: datetime
    """Its place among the others: its own time, else that of the line before it, else when it came."""
    text: str
    time: str = ""
    """As the source stamped it; empty where it does not."""
    about_source: bool = False
    error: SparkError | None = None
    """What keeps the source from being read."""


Sources = Sequence[Source] | Callable[[], Sequence[Source]]
"""A list that stands, or one that is asked for again: a server that starts later is read too."""


@dataclass(slots=True)
class _Reading:
    """One source under way."""

    source: Source
    lines: int = 0
    begun: bool = False
    """It told what it had, or cannot."""
    newest: datetime | None = None
    cause: str = ""
    """Why it is silent, as it was said; empty while it can be read."""
    awaited: float | None = None
    """Since when its node is awaited."""
    reminded: float = 0.0
    hidden: LineRedactor = field(default_factory=LineRedactor)
    allowance: Allowance = field(default_factory=lambda: Allowance(AT_ONCE, PER_S))


@dataclass(slots=True)
class LogMerge:
    """`printed` reads what there is; `followed` goes on until it is closed, then where it was left."""

    fleet: Fleet
    sources: Sources
    tail: int | None = None
    """Lines of each source that are told of what was before; None: all."""
    keep: Callable[[str], bool] | None = None
    """Only these lines; None: all."""
    remind: bool = False
    """Awaited nodes are named again and again, and what is back is said."""
    lasting: bool = True
    """A log that ended is asked for again: its container may start anew."""
    _readings: dict[str, _Reading] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _held: list[tuple[float, int, MergedLine]] = field(default_factory=list)
    _ordered: deque[MergedLine] = field(default_factory=deque)
    _count: int = 0
    _chars: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    # --- once

    async def printed(self) -> list[MergedLine]:
        """All lines that there are now; what keeps a source from telling is an entry too, at its end."""
        now, found = self.fleet.clock.now(), self._listed()
        lines_of = await together(*(self._all(source, now) for source in found))
        return list(heapq.merge(*lines_of, key=lambda entry: entry.at))

    async def _all(self, source: Source, now: datetime) -> list[MergedLine]:
        """In the order in which the source told them; a line without a time belongs to the one before it."""
        rows, left = deque[Stamped](maxlen=self.tail or KEPT), MOST_READ
        wrong: list[MergedLine] = []
        try:
            # The last lines are meant of those that are kept, wherever they are.
            reading = source.lines(self.fleet, follow=False, tail=None if self.keep else self.tail)
            async with contextlib.aclosing(reading) as lines:  # type: ignore[type-var]
                while True:
                    async with asyncio.timeout(ONCE_S):
                        time, text = await anext(lines)
                    if (left := left - LINE_BYTES - len(text)) < 0:
                        raise TooMuch("its log says too much; the rest was not read", hint="--since, --tail")
                    if self._kept(text):
                        rows.append((time, text))
        except StopAsyncIteration:
            pass
        except TimeoutError:
            error = TimedOut(f"nothing more came for {ONCE_S:.0f} s", hint="is the machine out of memory?")
            wrong.append(_silence(source, error, now))
        except SparkError as error:
            wrong.append(_silence(source, error, now))
        at = next((own for time, _ in rows if (own := moment(time))), now)
        entries, hidden = list[MergedLine](), LineRedactor()
        for time, text in rows:
            at = max(at, moment(time) or at)
            entries.append(MergedLine(source, at, hidden(text), time))
        return [*entries, *wrong]

    def _kept(self, text: str) -> bool:
        return self.keep is None or self.keep(text)

    # --- followed

    async def followed(self) -> AsyncGenerator[list[MergedLine], None]:
        """Lines as they come, in order; it ends by itself when the list stands and every source ended."""
        try:
            self._attend()
            await self._every_source_began()
            listed = self.fleet.clock.monotonic()
            while True:
                if callable(self.sources) and self.fleet.clock.monotonic() - listed >= AGAIN_S:
                    listed = self.fleet.clock.monotonic()
                    self._attend()
                over = self._over()
                await self._remind()
                self._order()
                while self._ordered:
                    yield [self._ordered.popleft() for _ in range(min(CHUNK, len(self._ordered)))]
                    await asyncio.sleep(0)
                if over:
                    return
                await self.fleet.clock.sleep(WINDOW_S)
        finally:
            await cancelled(self._tasks.values())
            self._tasks.clear()

    def rest(self) -> list[MergedLine]:
        """What was taken from the sources and not handed on when the reader left."""
        self._order()
        left = list(self._ordered)
        self._ordered.clear()
        return left

    def _over(self) -> bool:
        """Nothing more can come. A reader that broke is an error here, never a silence."""
        done = [task for task in self._tasks.values() if task.done()]
        for task in done:
            task.result()
        return not callable(self.sources) and len(done) == len(self._tasks)

    def _listed(self) -> Sequence[Source]:
        return self.sources() if callable(self.sources) else self.sources

    def _attend(self) -> None:
        """Begins to follow every source that is not followed yet."""
        found = self._listed()
        turn = max(TURN // max(len(found), 1), 1)
        for source in found:
            if source.key in self._tasks or source.key in self._ended:
                continue
            reading = self._readings.setdefault(source.key, _Reading(source))
            self._tasks[source.key] = asyncio.create_task(self._follow(reading, turn))

    async def _follow(self, reading: _Reading, turn: int) -> None:
        """One source to its end; what keeps it from telling is said once."""
        while True:
            try:
                await self._read(reading, turn)
                if reading.source.ends or not self.lasting:
                    self._end(reading.source)
                    return
                await self.fleet.clock.sleep(AGAIN_S)
            except Unreachable as error:
                await self._awaited(reading, error)
            except SparkError as error:
                await self._silent(reading, error)
                if not self.lasting:
                    return
                await self.fleet.clock.sleep(AGAIN_S)
            finally:
                reading.begun = True

    def _end(self, source: Source) -> None:
        self._ended.add(source.key)
        if self.remind and callable(self.sources):
            text = f"{source.name}: its log ended; the next start will be followed"
            self._put(MergedLine(source, self.fleet.clock.now(), text, about_source=True))

    async def _read(self, reading: _Reading, turn: int) -> None:
        source = reading.source
        following = source.lines(self.fleet, follow=True, tail=self.tail)
        async with contextlib.aclosing(following) as lines:  # type: ignore[type-var]
            async for time, text in lines:
                reading.cause, reading.awaited = "", None
                reading.lines += 1
                if reading.lines % turn == 0:
                    await asyncio.sleep(0)
                while not reading.allowance.takes(LINE_BYTES + len(text), self.fleet.clock.monotonic()):
                    await self.fleet.clock.sleep(WINDOW_S)
                if self._kept(text):
                    await self._hold(reading, time, text)

    async def _hold(self, reading: _Reading, time: str, text: str) -> None:
        """Takes a line; one without a time belongs to the line before it, or to the moment it came."""
        await self._free()
        own = moment(time)
        at = own or reading.newest or self.fleet.clock.now()
        if own is not None:
            reading.newest = own
        self._put(MergedLine(reading.source, at, reading.hidden(text), time))

    async def _free(self) -> None:
        while len(self._held) >= HELD or self._chars >= HELD_CHARS:
            self._room.clear()
            await self._room.wait()

    def _put(self, entry: MergedLine) -> None:
        self._count, self._chars = self._count + 1, self._chars + len(entry.text)
        self._held.append((entry.at.timestamp(), self._count, entry))

    # --- what cannot be read

    async def _awaited(self, reading: _Reading, error: Unreachable) -> None:
        """Says that the node is awaited, and waits until it can be asked again."""
        if reading.awaited is None:
            reading.awaited = reading.reminded = self.fleet.clock.monotonic()
        reading.begun = True
        await self._silent(reading, error)
        if isinstance(error, (UnknownHostKey, ChangedHostKey)):  # waits for a person, not for a link
            await self.fleet.clock.sleep(AGAIN_S)
            return
        with contextlib.suppress(SparkError):
            await self.fleet.reconnect(reading.source.node, RECONNECT_FOR_S)
            self._back(reading)
        await self.fleet.clock.sleep(AGAIN_S / 3)

    async def _silent(self, reading: _Reading, error: SparkError) -> None:
        if reading.cause == error.cause:
            return
        reading.cause = error.cause
        await self._free()
        self._put(_silence(reading.source, error, self.fleet.clock.now(), again=True))

    def _back(self, reading: _Reading) -> None:
        since, reading.awaited = reading.awaited, None
        if self.remind and since is not None:
            now = self.fleet.clock.monotonic()
            text = f"{reading.source.name}: resumed after {now - since:.0f} s"
            self._put(MergedLine(reading.source, self.fleet.clock.now(), text, about_source=True))

    async def _remind(self) -> None:
        """One sentence a node and turn, however many of its logs are awaited."""
        if not self.remind:
            return
        now = self.fleet.clock.monotonic()
        waiting: dict[str, list[_Reading]] = {}
        for reading in self._readings.values():
            if reading.awaited is not None:
                waiting.setdefault(reading.source.node, []).append(reading)
        for readings in waiting.values():
            if now - max(r.reminded for r in readings) < REMIND_S:
                continue
            for reading in readings:
                reading.reminded = now
            since = min(r.awaited for r in readings if r.awaited is not None)
            names = ", ".join(dict.fromkeys(r.source.name for r in readings))
            text = f"{names}: still waiting for the node, {now - since:.0f} s"
            self._put(MergedLine(readings[0].source, self.fleet.clock.now(), text, about_source=True))

    # --- order

    async def _every_source_began(self) -> None:
        """Told what it had and paused, or cannot; or the patience is over, or there is no more room."""
        for _ in range(PATIENCE):
            before = {key: r.lines for key, r in self._readings.items()}
            await self.fleet.clock.sleep(WINDOW_S)
            begun = (r.begun or 0 < r.lines == before.get(k) for k, r in self._readings.items())
            if all(begun) or len(self._held) >= HELD or self._chars >= HELD_CHARS:
                return

    def _order(self) -> None:
        """What is held, in the order of its times; from then on there is room again."""
        held, self._held, self._chars = self._held, [], 0
        self._room.set()
        held.sort()
        self._ordered.extend(entry for _, _, entry in held)


def _silence(source: Source, error: SparkError, now: datetime, *, again: bool = False) -> MergedLine:
    """What keeps a source from telling, as a sentence in its place."""
    wait = "; resumes when the node returns" if again and isinstance(error, Unreachable) else ""
    text = f"{source.name}: {error.cause}{wait}"
    if isinstance(error, Absent):
        return MergedLine(source, now, f"{text} — {error.hint}" if error.hint else text, about_source=True)
    return MergedLine(source, now, text, about_source=True, error=error)
