"""A frame with a title on the left and a note on the right: `╭─ serve ─── ready 00:41 ─╮`. Never markup."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from sparkconsole.tui.draw.columns import laid, one_line, plain
from sparkconsole.tui.draw.frame import Cell
from sparkconsole.tui.widgets.styled_text import content

EDGE = "─"
AROUND = 6
"""Cells of the upper edge that Textual keeps for the corners."""


class Panel(Widget):
    """`head(title, note)` as often as one likes; the note goes first when there is no room for both."""

    DEFAULT_CSS = """
    Panel {
        layout: vertical; height: auto; width: 1fr; padding: 0 1;
        border: round $frame; border-title-color: $title; border-title-style: none;
    }
    Panel:focus, Panel:focus-within { border: round $frame-focus; }
    """

    def __init__(self, *children: Widget, title: Cell = "", note: Cell = "", id: str | None = None) -> None:
        super().__init__(*children, id=id)
        self._head: tuple[Cell, Cell] = (title, note)
        self._drawn: tuple[object, ...] = ()

    def head(self, title: Cell, note: Cell = "") -> None:
        """What stands in the frame; styles may be names of theme variables."""
        self._head = (title, note)
        self._draw_head()

    def on_resize(self) -> None:
        """Another width between title and note; the edge between the two is of the frame's colour."""
        self._draw_head()

    on_focus = on_blur = on_descendant_focus = on_descendant_blur = on_resize

    def _draw_head(self) -> None:
        title, note = (one_line(t) for t in self._head)
        edge = "$frame-focus" if self.has_focus or self.has_focus_within else "$frame"
        text = headline(title, note, self.outer_size.width - AROUND, edge)
        drawn = (text.plain, str(text.style), *text.spans)
        if drawn != self._drawn:
            self._drawn = drawn
            self.border_title = content([text]) if text.plain else None


def headline(title: Cell, note: Cell, room: int, edge: str = "$frame") -> Text:
    """Title, edge, note in exactly `room` cells; nothing when there is no room or nothing to say."""
    if room < 1 or not (plain(title).strip() or plain(note).strip()):
        return Text()
    wide, narrow = cell_len(plain(title)), cell_len(plain(note))
    between = room - wide - narrow - 2 * bool(narrow)
    if not narrow or between < 1:
        return _text(title if wide <= room else laid(title, room))
    line = _text(title).append(" " if wide else "").append(EDGE * (between + (not wide)), edge)
    return line.append(" ").append_text(_text(note))


def _text(cell: Cell) -> Text:
    return Text(cell) if isinstance(cell, str) else Text().append_text(cell)
