"""Text whose styles name theme variables (`$node-up`), as a widget, as content and as strips of one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.content import Content, Span
from textual.strip import Strip
from textual.style import Style as VisualStyle
from textual.widgets import Static

from sparkconsole.model.text.redact import presentable

Draw = Callable[[int, int], Sequence[Text]]


class StyledText(Static):
    """Never markup: text from machines may stand in it."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self._lines: tuple[Text, ...] | None = None
        self._draw: Draw | None = None

    @property
    def lines(self) -> tuple[Text, ...]:
        """What it shows."""
        return self._lines or ()

    def show(self, lines: Sequence[Text]) -> None:
        """Shows these lines."""
        drawn = tuple(lines)
        if drawn != self._lines:
            self._lines = drawn
            self.update(content(drawn))

    def draw(self, draw: Draw) -> None:
        """Shows what `draw` makes of the width and height there is, now and whenever that changes."""
        self._draw = draw
        self.on_resize()

    def on_resize(self) -> None:
        """Other room, other lines."""
        if self._draw is not None and self.size.width:
            self.show(self._draw(self.size.width, self.size.height))


def content(lines: Iterable[Text]) -> Content:
    """Rich text as Textual's own, with the names of variables kept for the theme to say."""
    return Content("\n").join([_line(line) for line in lines])


def _line(text: Text) -> Content:
    spans = [Span(0, len(text.plain), text.style)] if isinstance(text.style, str) and text.style else []
    for start, end, style in text.spans:
        if style:
            own = VisualStyle.from_rich_style(style, None) if isinstance(style, Style) else style
            spans.append(Span(start, end, own))
    return Content(text.plain, spans=spans)


def frame_title(text: str) -> str:
    """A title for a frame, where Textual would read markup."""
    return " ".join(presentable(text).split()).replace("[", r"\[")


def strip(parts: Iterable[Text | str], base: VisualStyle, width: int, *, reverse: bool = False) -> Strip:
    """Exactly `width` cells of the parts side by side; an unknown style name is no style."""
    row: list[Segment] = []
    for part in parts:
        if isinstance(part, str):
            row.append(Segment(part, base.rich_style))
        else:
            row += content([part]).render_segments(base, end="")
    made = Strip(row).adjust_cell_length(max(width, 0), base.rich_style)
    return made.apply_style(Style(reverse=True)) if reverse else made
