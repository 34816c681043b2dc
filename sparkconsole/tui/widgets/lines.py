"""Lines of text that scroll, drawn one by one: only those that can be seen, and only when they changed.

Styles name theme variables (`bold $node-up on $row-cursor`). Nothing in a line is markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.color import Color, ColorParseError
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip


class Lines(ScrollView):
    """`show(lines)`; the lines may be a lazy sequence, and only what can be seen is asked for."""

    DEFAULT_CSS = """
    Lines { width: 100%; height: 100%; scrollbar-size: 1 1; background: $background; color: $foreground;
            overflow-x: hidden; }
    """

    @dataclass
    class Clicked(Message):
        """The mouse was pressed on a line."""

        lines: Lines
        x: int
        y: int
        """Counted from the first line, scrolled or not."""
        times: int

        @property
        def control(self) -> Lines:
            """For `@on` selectors."""
            return self.lines

    def __init__(self, *, id: str | None = None, classes: str | None = None, focus: bool = False) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self.can_focus = focus
        self._lines: Sequence[Text] = ()
        self._drawn: dict[int, tuple[Text, Strip]] = {}
        self._styles: dict[str, Style] = {}

    def show(self, lines: Sequence[Text]) -> None:
        """Shows these; only lines that are not as they were are drawn again."""
        before, self._lines = len(self._lines), lines
        if before != len(lines):
            self.virtual_size = Size(self.size.width, len(lines))
            self.refresh()
            return
        top, height = self.scroll_offset.y, self.size.height
        for y in range(top, min(top + height, len(lines))):
            if y not in self._drawn or self._drawn[y][0] != lines[y]:
                self.refresh(Region(0, y - top, self.size.width, 1))

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it, plain."""
        return tuple(line.plain for line in self._lines)

    def notify_style_update(self) -> None:
        """Another theme: every line looks different."""
        super().notify_style_update()
        self._drawn, self._styles = {}, {}

    def on_resize(self) -> None:
        """Lines are cut to the width."""
        self._drawn.clear()
        self.virtual_size = Size(self.size.width, len(self._lines))

    def render_line(self, y: int) -> Strip:
        """One line of what can be seen."""
        number = y + self.scroll_offset.y
        if number >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        text = self._lines[number]
        if number not in self._drawn or self._drawn[number][0] != text:
            self._drawn[number] = (text, self._strip(text))
        return self._drawn[number][1]

    def _strip(self, text: Text) -> Strip:
        line = Text(text.plain, self._style(text.style), no_wrap=True, end="")
        for span in text.spans:
            line.stylize(self._style(span.style), span.start, span.end)
        base = self.rich_style
        segments = [Segment(s.text, base + (s.style or Style.null())) for s in line.render(self.app.console)]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _style(self, spec: str | Style) -> Style:
        if isinstance(spec, Style):
            return spec
        if spec not in self._styles:
            self._styles[spec] = style_of(spec, self.app.theme_variables)
        return self._styles[spec]

    def on_click(self, event: Click) -> None:
        """Tells which line."""
        offset = self.scroll_offset
        self.post_message(self.Clicked(self, event.x + offset.x, event.y + offset.y, event.chain))


def style_of(spec: str, variables: dict[str, str]) -> Style:
    """`bold $node-up on $row-cursor` as Rich has it; a variable that there is not has no colour."""
    colours: dict[str, Color | None] = {}
    words: list[str] = []
    where = "color"
    for word in spec.split():
        if word == "on":
            where = "bgcolor"
        elif word.startswith("$"):
            colours[where] = _colour(variables.get(word[1:], ""))
        else:
            words.append(word)
    made = {side: colour.rich_color for side, colour in colours.items() if colour is not None}
    return Style.parse(" ".join(words)) + Style(**made) if words else Style(**made)  # type: ignore[arg-type]


def _colour(value: str) -> Color | None:
    try:
        return Color.parse(value)
    except ColorParseError:
        return None


__all__ = ["Lines", "style_of"]
