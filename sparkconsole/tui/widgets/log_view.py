"""A log of any length and speed: it looks at a ring when it is asked to, and draws only what can be seen.

The reader's place is kept while old lines fall off; new lines are followed only from the end.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import ClassVar

from rich.segment import Segment
from rich.text import Text
from textual import events
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

from sparkconsole.fleet.logs.feed import Feed
from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.logs.diagnosis import Diagnosis
from sparkconsole.model.logs.line import Level, LogLine
from sparkconsole.tui.draw.log_head import breaks, most_cells, prefix, wrapped_height

MARK = 255
"""The part of a line under which its mark is drawn; no line has so many parts."""
STYLES = ("time", "node", "debug", "warning", "error", "match", "found", "mark")
JUDGED = 20_000
"""Lines whose finding is remembered: drawing a line again judges it no second time."""


class LogView(ScrollView, can_focus=True):
    """`sample()` draws what is new; it is cheap when nothing is."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"log-view--{name}" for name in STYLES}
    DEFAULT_CSS = """
    LogView { height: 1fr; width: 1fr; overflow-y: scroll; overflow-x: auto; scrollbar-size: 0 1; }
    LogView > .log-view--time, LogView > .log-view--debug { color: $text-muted; }
    LogView > .log-view--node { color: $secondary; }
    LogView > .log-view--warning { color: $text-warning; }
    LogView > .log-view--error { color: $text-error; text-style: bold; }
    LogView > .log-view--match { text-style: reverse; }
    LogView > .log-view--found { background: $accent 40%; text-style: bold; }
    LogView > .log-view--mark { color: $accent; }
    """
    follow: var[bool] = var(True)
    wrap: var[bool] = var(False)
    times: var[bool] = var(True)
    least: var[Level] = var(Level.DEBUG)

    class Moved(Message):
        """The reader scrolled, so that following may have begun or ended."""

    def __init__(self, ring: LineRing[LogLine], *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.ring, self.names = ring, {}
        self.marks: dict[int, str] = {}
        """Numbers of marked lines, and what each mark says."""
        self._rows: list[int] = []
        """What there is to show: 256 × the line's number + the part of it, in order."""
        self._next = ring.first
        self._accepts: Callable[[LogLine], bool] | None = None
        self._found: re.Pattern[str] | None = None
        self._at: int | None = None
        self._judged: LRUCache[int, Diagnosis | None] = LRUCache(JUDGED)
        self._cache: LRUCache[tuple[int, int, int], Strip] = LRUCache(4096)
        self._wide = 0
        self._gone = 0
        """Rows that fell off: a selection stays with its rows."""

    names: dict[str, str]
    """Short names of nodes, where the whole name takes too much room."""
    judge: Callable[[LogLine], Diagnosis | None] | None = None
    """What a line says is wrong; asked only of lines that are drawn or looked through."""

    feed: Feed | None = None
    """What fills the ring while it can be seen; None: somebody else does."""

    def let_go(self) -> None:
        """Reads no more; what was read stays."""
        if self.feed is not None:
            self.feed.stop()
        self.feed = None

    def read_from(self, feed: Feed) -> None:
        """Another feed from now on, and its lines."""
        self.let_go()
        self.feed = feed
        feed.begin()
        self.show_ring(feed.ring)

    async def rest(self) -> None:
        """Nobody looks: nothing is read."""
        if self.feed is not None:
            await self.feed.rest()

    async def on_unmount(self) -> None:
        """Nothing is left running."""
        await self.rest()

    # --- sampling

    def sample(self) -> None:
        """Takes in what arrived since the last time."""
        if self.ring.total == self._next and (not self._rows or self._rows[0] >> 8 >= self.ring.first):
            return
        self._take_in()
        dropped = self._row_of(self.ring.first)  # of lines that the ring has lost
        del self._rows[:dropped]
        self._gone += dropped
        self._settle(max(0, self.scroll_y - dropped) if dropped else None)

    def _take_in(self) -> None:
        for number in range(max(self._next, self.ring.first), self.ring.total):
            self._rows += self._rows_of(number)
        self._next = self.ring.total

    def _settle(self, top: float | None = None) -> None:
        """Follows the end, or keeps the same line under the reader's eyes: the one that is now at `top`."""
        width = self._room if self.wrap else max(self._room, self._wide)
        self.virtual_size = Size(width, len(self._rows))
        if self.follow:
            self.scroll_end(animate=False, immediate=True, x_axis=False)
        elif top is not None:
            self.scroll_to(y=top, animate=False, immediate=True, force=True)
        self.refresh()

    def _rows_of(self, number: int) -> list[int]:
        line = self.ring[number]
        if line.level < self.least or (self._accepts is not None and not self._accepts(line)):
            return []
        height = self._height(line)
        rows = [number << 8 | part for part in range(height)]
        return [*rows, number << 8 | MARK] if number in self.marks else rows

    def _height(self, line: LogLine) -> int:
        if self.wrap and self._room > 0:
            return min(MARK - 1, wrapped_height(line, self._room, times=self.times, names=self.names))
        self._wide = max(self._wide, most_cells(line, times=self.times, names=self.names))
        return 1

    @property
    def _room(self) -> int:
        return self.scrollable_content_region.width

    def rebuild(self) -> None:
        """Everything anew, with the line at the top staying there."""
        top = self._number_at(int(self.scroll_y))
        if self.text_selection is not None:
            self.screen.clear_selection()
        self._rows, self._next, self._wide, self._gone = [], 0, 0, 0
        self._cache.clear()
        self._take_in()
        self._settle(None if top is None else self._row_of(top))

    def show_ring(self, ring: LineRing[LogLine]) -> None:
        """Another log in the same place."""
        self.ring, self.marks, self._at = ring, {}, None
        self._judged.clear()
        self.rebuild()

    # --- what is shown

    watch_wrap = watch_times = watch_least = rebuild

    def filter(self, text: str) -> None:
        """Only lines with that text (any case), or that match `/expression/`; the empty text shows all."""
        pattern = expression(text)
        self._accepts = None if pattern is None else lambda line: pattern.search(line.bare) is not None
        self.rebuild()

    def search(self, text: str) -> int:
        """Marks every match; how many lines match. The empty text ends the search."""
        self._found, self._at = expression(text), None
        self._cache.clear()
        self.refresh()
        return len(self._matches())

    def next_match(self, step: int) -> bool:
        """Goes to the next (1) or previous (-1) match; False when there is none."""
        return self._go(self._matches(), step)

    def next_error(self) -> bool:
        """Goes to the next line that is an error."""
        return self._go([n for n in self._numbers() if self.ring[n].level >= Level.ERROR], 1)

    def next_finding(self) -> bool:
        """Goes to the next line that is known to say something wrong; judges no line behind it."""
        numbers = self._numbers()
        first = bisect_left(numbers, self._here + (self._at is not None))
        found = next((n for n in (*numbers[first:], *numbers[:first]) if self.finding(n)), None)
        return found is not None and self._go([found], 1)

    def finding(self, number: int) -> Diagnosis | None:
        """What that line says is wrong."""
        if self.judge is None:
            return None
        if number not in self._judged:
            self._judged[number] = self.judge(self.ring[number])
        return self._judged[number]

    @property
    def chosen(self) -> Diagnosis | None:
        """The finding that was gone to last, as long as its line is kept."""
        return None if self._at is None or self._at < self.ring.first else self.finding(self._at)

    def shown(self) -> list[LogLine]:
        """Every line that is shown, the oldest first."""
        return [self.ring[number] for number in self._numbers()]

    def mark(self, label: str) -> bool:
        """Draws a line under the newest one, with a label (the time, as a rule); False without a line."""
        numbers = self._numbers()
        if numbers:
            self.marks[numbers[-1]] = label
            self.rebuild()
        return bool(numbers)

    def _numbers(self) -> list[int]:
        return list(dict.fromkeys(row >> 8 for row in self._rows))

    def _matches(self) -> list[int]:
        found = self._found
        return [] if found is None else [n for n in self._numbers() if found.search(self.ring[n].bare)]

    def _go(self, numbers: Sequence[int], step: int) -> bool:
        if not numbers:
            return False
        behind = step > 0 and self._at is not None
        at = bisect_left(numbers, self._here + behind) - (step < 0)
        self._at = numbers[at % len(numbers)]
        self.follow = False
        self.scroll_to(y=max(0, self._row_of(self._at) - 2), animate=False, immediate=True, force=True)
        self._cache.clear()
        self.refresh()
        return True

    @property
    def _here(self) -> int:
        """The line that was gone to last, else the one at the top."""
        return self._at if self._at is not None else self._number_at(int(self.scroll_y)) or 0

    def _number_at(self, row: int) -> int | None:
        return self._rows[row] >> 8 if 0 <= row < len(self._rows) else None

    def _row_of(self, number: int) -> int:
        return bisect_left(self._rows, number << 8)

    # --- following

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling up stops following; reaching the end follows again."""
        super().watch_scroll_y(old_value, new_value)
        at_end = new_value >= self.max_scroll_y
        if at_end != self.follow and (at_end or new_value < old_value):
            self.follow = at_end
            self.post_message(self.Moved())

    def to_end(self) -> None:
        """The newest line, and whatever comes after it."""
        self.follow = True
        self.scroll_end(animate=False, immediate=True, x_axis=False)

    # --- text out of it

    def all_text(self) -> str:
        """Every shown line as plain text."""
        heads = ((prefix(line, times=self.times, names=self.names), line) for line in self.shown())
        return "\n".join(head.plain + line.bare for head, line in heads)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What the mouse selected."""
        first, last = (None if o is None else o.y - self._gone for o in selection)
        rows = range(max(first or 0, 0), len(self._rows) if last is None else min(last + 1, len(self._rows)))
        spans = ((row, selection.get_span(row + self._gone) or (0, 0)) for row in rows)
        texts = ((self._row_text(self._rows[row]).plain, start, end) for row, (start, end) in spans)
        return "\n".join(text[start : None if end == -1 else end] for text, start, end in texts), "\n"

    # --- drawing

    def notify_style_update(self) -> None:
        """Another theme has other colours."""
        super().notify_style_update()
        self._cache.clear()

    def on_resize(self, _: events.Resize) -> None:
        """Wrapped lines depend on the width."""
        if self.wrap:
            self.rebuild()
        else:
            self._settle()

    def render_line(self, y: int) -> Strip:
        """One row; styled once, then taken from the cache."""
        at = self.scroll_offset.y + y
        width, left = self._room, self.scroll_offset.x
        if not 0 <= at < len(self._rows) or self._rows[at] >> 8 < self.ring.first:
            return Strip.blank(width, self.rich_style)
        row = self._rows[at]
        key = (row, width, left)
        if (strip := self._cache.get(key)) is None:
            drawn = Strip(self._row_text(row).render(self.app.console, end="")).apply_style(self.rich_style)
            self._cache[key] = strip = drawn.crop_extend(left, left + width, self.rich_style)
        row_ever = at + self._gone
        return self._selected(strip, row_ever, left).apply_offsets(left, row_ever)

    def _selected(self, strip: Strip, row: int, left: int) -> Strip:
        selection = self.text_selection
        span = selection.get_span(row) if selection is not None else None
        if span is None:
            return strip
        start = max(span[0] - left, 0)
        end = strip.cell_length if span[1] == -1 else max(span[1] - left, start)
        style = self.screen.get_component_rich_style("screen--selection")
        head, inside, tail = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
        marked = Strip([Segment(s.text, (s.style or self.rich_style) + style) for s in inside])
        return Strip.join([head, marked, tail])

    def _row_text(self, row: int) -> Text:
        number, part = row >> 8, row & 255
        if part == MARK:
            label = f"── {self.marks.get(number, '')} "
            return Text(label.ljust(self._room, "─"), self.get_component_rich_style("log-view--mark"))
        text = self._line_text(number)
        if not self.wrap:
            return text
        parts = text.divide(breaks(text.plain, max(self._room, 1)))
        return parts[part] if part < len(parts) else Text("")

    def _line_text(self, number: int) -> Text:
        line = self.ring[number]
        styles = {name: self.get_component_rich_style(f"log-view--{name}", partial=True) for name in STYLES}
        finding = self.finding(number)
        weight = finding.severity if finding is not None else None
        text = prefix(line, times=self.times, names=self.names, styles=styles, weight=weight)
        body = Text.from_ansi(line.text) if "\x1b" in line.text else Text(line.text)
        body.stylize(styles.get(line.level.name.lower(), ""))
        if finding is not None and number == self._at:
            body.stylize(styles["found"])
        if self._found is not None:
            for match in self._found.finditer(body.plain):
                body.stylize(styles["found" if number == self._at else "match"], *match.span())
        return text.append_text(body)


def expression(text: str) -> re.Pattern[str] | None:
    """`/…/` is a regular expression, anything else is looked for as it stands; a broken one is plain text."""
    if not text:
        return None
    if len(text) > 2 and text.startswith("/") and text.endswith("/"):
        with suppress(re.error):
            return re.compile(text[1:-1], re.IGNORECASE)
    return re.compile(re.escape(text), re.IGNORECASE)
