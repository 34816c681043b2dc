"""Lines of text whose styles name theme variables (`$node-up`); drawn again only when they changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.style import Style
from rich.text import Text
from textual.content import Content, Span
from textual.widgets import Static

from sparkconsole.model.text.printable import printable

Draw = Callable[[int, int], Sequence[Text]]


class StyledText(Static):
    """Never markup: text from machines may stand in it."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's
        super().__init__("", id=id, classes=classes, markup=False)
        self._said: tuple[Text, ...] | None = None
        self._draw: Draw | None = None

    @property
    def lines(self) -> tuple[Text, ...]:
        """What it shows."""
        return self._said or ()

    def show(self, lines: Sequence[Text]) -> None:
        """Shows these lines."""
        drawn = tuple(lines)
        if drawn != self._said:
            self._said = drawn
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
    spans += [Span(s.start, s.end, s.style) for s in text.spans if isinstance(s.style, str) and s.style]
    return Content(text.plain, spans=[*spans, *_plain_spans(text)])


def _plain_spans(text: Text) -> list[Span]:
    """Styles that are no names."""
    from textual.style import Style as Visual

    return [
        Span(s.start, s.end, Visual.from_rich_style(s.style, None))
        for s in text.spans
        if isinstance(s.style, Style)
    ]


def frame_title(text: str) -> str:
    """A title for a frame, where Textual would read markup."""
    return " ".join(printable(text).split()).replace("[", r"\[")
