"""Lines of text that scroll, drawn one by one: only those that can be seen, and only when they changed.

Styles name theme variables (`bold $node-up on $row-cursor`). Nothing in a line is markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sparkconsole.tui.widgets.styled_text import strip


class Lines(ScrollView):
    """`show(lines)`; the lines may be a lazy sequence, and only what can be seen is asked for."""

    DEFAULT_CSS = """
    Lines { width: 100%; height: 100%; scrollbar-size: 1 1; background: $background; color: $foreground;
            overflow-x: hidden; }
    """

    @dataclass
    class Clicked(Message):
        """The mouse was pressed on a line."""

        x: int
        y: int
        """Counted from the first line, scrolled or not."""
        times: int

    def __init__(self, *, id: str | None = None, focus: bool = False) -> None:
        super().__init__(id=id)
        self.can_focus = focus
        self._count = 0
        self._line: Callable[[int], Text] = ().__getitem__
        self._drawn: dict[int, tuple[Text, Strip]] = {}

    def show(self, lines: Sequence[Text]) -> None:
        """Shows these; only lines that are not as they were are drawn again."""
        self.show_made(len(lines), lines.__getitem__)

    def show_made(self, count: int, line: Callable[[int], Text]) -> None:
        """The same, with only those lines made that can be seen."""
        before, self._count, self._line = self._count, count, line
        if before != count:
            self.virtual_size = Size(self.size.width, count)
            self.refresh()
            return
        top, height = self.scroll_offset.y, self.size.height
        for y in range(top, min(top + height, count)):
            if y not in self._drawn or self._drawn[y][0] != line(y):
                self.refresh(Region(0, y - top, self.size.width, 1))

    def notify_style_update(self) -> None:
        """Another theme: every line looks different."""
        super().notify_style_update()
        self._drawn.clear()

    def on_resize(self) -> None:
        """Lines are cut to the width."""
        self._drawn.clear()
        self.virtual_size = Size(self.size.width, self._count)

    def render_line(self, y: int) -> Strip:
        """One line of what can be seen."""
        number = y + self.scroll_offset.y
        if number >= self._count:
            return Strip.blank(self.size.width, self.rich_style)
        text = self._line(number)
        if number not in self._drawn or self._drawn[number][0] != text:
            self._drawn[number] = (text, strip([text], self.visual_style, self.size.width))
        return self._drawn[number][1]

    def on_click(self, event: Click) -> None:
        """Tells which line."""
        offset = self.scroll_offset
        self.post_message(self.Clicked(event.x + offset.x, event.y + offset.y, event.chain))
