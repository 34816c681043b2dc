"""A table that draws only what can be seen and only what changed: rows are given whole, at any rate.

The cursor and the marks belong to row keys, so they stay with their row while rows come, go and move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from sparkconsole.tui.draw.columns import GAP, Column, RowSheet, TableRow, laid, one_line
from sparkconsole.tui.draw.frame import Cell
from sparkconsole.tui.widgets.styled_text import strip


class SheetTable(ScrollView, can_focus=True):
    """`show(rows)` as often as one likes; nothing is drawn again that looks the same."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--header", "table--cursor", "table--hover", "table--empty"}
    DEFAULT_CSS = """
    SheetTable {
        height: 1fr; width: 1fr; overflow-x: hidden; overflow-y: auto; scrollbar-size: 0 1;
        color: $foreground;
    }
    SheetTable > .table--header { color: $muted; text-style: bold; }
    SheetTable > .table--cursor, SheetTable > .table--hover { background: $row-hover; }
    SheetTable:focus > .table--cursor { background: $row-cursor; text-style: bold; }
    SheetTable:nocolor:focus > .table--cursor, SheetTable:ansi:focus > .table--cursor { text-style: reverse; }
    SheetTable > .table--empty { color: $muted; }
    """
    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", "up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "down", show=False, id="table.down"),
        Binding("pageup", "page(-1)", "page up", show=False, id="table.page-up"),
        Binding("pagedown", "page(1)", "page down", show=False, id="table.page-down"),
        Binding("home,g", "end(-1)", "first", show=False, id="table.first"),
        Binding("end,G", "end(1)", "last", show=False, id="table.last"),
        Binding("enter", "open", "open", show=False, id="table.open"),
        Binding("space", "mark", "mark", show=False, id="table.mark"),
        Binding("comma", "sort(-1)", "sort", show=False, id="table.sort-prev"),
        Binding("full_stop", "sort(1)", "sort", show=False, id="table.sort-next"),
    ]

    empty = reactive("")
    """What stands where no row is."""

    @dataclass
    class RowHighlighted(Message):
        """The cursor is on another row; None when there is none."""

        table: SheetTable
        key: str | None

    @dataclass
    class RowOpened(Message):
        """Enter, or a double click."""

        table: SheetTable
        key: str

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str = "nothing here",
        marking: bool = False,
        header: bool = True,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.empty, self.marking = empty, marking
        self._rows, self._head = RowSheet(columns), int(header)
        self._marked: set[str] = set()
        self._key: str | None = None
        self._cursor = 0
        self._hover: int | None = None
        self._cache: LRUCache[tuple[object, ...], Strip] = LRUCache(2048)

    # --- what is shown

    def show(self, rows: Iterable[TableRow]) -> None:
        """These rows from now on; cheap when they look as before."""
        if self._rows.take(rows):
            self._rows.lay_out(self.size.width - self._gutter)
            self._arrange()

    def lay_columns(self, columns: Sequence[Column]) -> None:
        """Other columns from the next `show` on; filter, sorting, cursor and marks stay."""
        if tuple(columns) == self._rows.columns:
            return
        now = RowSheet(columns)
        now.filter = self._rows.filter
        now.sort_by(*self.sorted_by)
        self._rows = now
        self._cache.clear()

    def filter(self, text: str) -> None:
        """Only rows that have the text, in any cell; the empty text shows all."""
        if text != self._rows.filter:
            self._rows.filter = text
            self._arrange()

    def sort(self, column: str | None, *, descending: bool | None = None) -> None:
        """By that column, in its own direction unless said; None: as given."""
        self._rows.sort_by(column, descending)
        self._arrange()

    @property
    def sorted_by(self) -> tuple[str | None, bool]:
        """The column's id, and whether the largest stands first."""
        at = self._rows.sort
        return (None if at is None else self._rows.columns[at].id, self._rows.descending)

    @property
    def keys(self) -> tuple[str, ...]:
        """The rows shown, in the order shown."""
        return self._rows.keys

    # --- cursor and marks

    @property
    def cursor_key(self) -> str | None:
        """The row under the cursor."""
        return self._key

    @cursor_key.setter
    def cursor_key(self, key: str) -> None:
        if key in self.keys:
            self._go(self.keys.index(key))

    @property
    def marked(self) -> tuple[str, ...]:
        """Marked rows that are shown: what cannot be seen is not acted on."""
        return tuple(k for k in self.keys if k in self._marked)

    @property
    def selected(self) -> tuple[str, ...]:
        """The marked rows, else the one under the cursor."""
        return self.marked or ((self._key,) if self._key is not None else ())

    def unmark(self) -> bool:
        """Takes all marks off; False when there were none."""
        had = bool(self._marked)
        self._mark(set())
        return had

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where nothing can be marked the key is free."""
        return self.marking if action == "mark" else super().check_action(action, parameters)

    def action_mark(self) -> None:
        """Marks the row under the cursor, or not any more, and goes on to the next."""
        if self._key is not None:
            self._mark(self._marked ^ {self._key})
            self._go(self._cursor + 1)

    def action_move(self, by: int) -> None:
        """Up and down."""
        self._go(self._cursor + by)

    def action_page(self, by: int) -> None:
        """A screen up or down."""
        self._go(self._cursor + by * max(1, self.size.height - self._head - 1))

    def action_end(self, to: int) -> None:
        """First or last row."""
        self._go(len(self._rows.lines) if to > 0 else 0)

    def action_open(self) -> None:
        """Tells that the row is to be opened."""
        if self._key is not None:
            self.post_message(self.RowOpened(self, self._key))

    def action_sort(self, by: int) -> None:
        """The next column to sort by; between the last and the first the order is as given."""
        self.sort(self._rows.next_sort(by))

    # --- mouse

    def on_click(self, event: events.Click) -> None:
        """The header sorts, a row is chosen, a second click opens it."""
        at = event.get_content_offset(self)
        if at is None:
            return
        if at.y < self._head:
            column = self._rows.column_at(at.x - self._gutter)
            if column is not None:
                again = self.sorted_by[0] == column.id
                self.sort(column.id, descending=not self._rows.descending if again else None)
        elif (index := self._index(at.y)) is not None:
            self._go(index)
            if event.chain >= 2:
                self.action_open()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The row under the mouse."""
        at = event.get_content_offset(self)
        self._point(None if at is None else self._index(at.y))

    def on_leave(self) -> None:
        """No row any more."""
        self._point(None)

    def _index(self, y: int) -> int | None:
        index = self.scroll_offset.y + y - self._head
        return index if y >= self._head and index < len(self._rows.lines) else None

    def _point(self, index: int | None) -> None:
        before, self._hover = self._hover, index
        if before != index:
            self._redraw(before, index)

    # --- the inside

    @property
    def _gutter(self) -> int:
        return 2 if self.marking else 1

    def _arrange(self) -> None:
        """Filter, sort, marks and cursor after a change of rows."""
        seen = 0 <= self._cursor - self.scroll_offset.y < self.size.height - self._head
        self._rows.arrange()
        self._marked &= {line.row.key for line in self._rows.every}
        self.virtual_size = Size(self.size.width, len(self._rows.lines) + self._head)
        keys = self.keys
        held = keys.index(self._key) if self._key in keys else min(self._cursor, len(keys) - 1)
        self._go(held, follow=seen)
        self.refresh()

    def _go(self, index: int, *, follow: bool = True) -> None:
        """Puts the cursor on that row, or the nearest there is."""
        before, key = self._cursor, self._key
        self._cursor = max(0, min(index, len(self._rows.lines) - 1))
        self._key = self._rows.lines[self._cursor].row.key if self._rows.lines else None
        if follow:
            self._reveal()
        if before != self._cursor:
            self._redraw(before, self._cursor)
        if key != self._key:
            self.post_message(self.RowHighlighted(self, self._key))

    def _reveal(self) -> None:
        room = self.size.height - self._head
        top = min(self._cursor, max(self.scroll_offset.y, self._cursor - room + 1))
        if room > 0 and top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True)

    def _mark(self, marks: set[str]) -> None:
        if marks != self._marked:
            self._marked = marks
            self.refresh()

    def _redraw(self, *indexes: int | None) -> None:
        tops = [i + self._head - self.scroll_offset.y for i in indexes if i is not None]
        width, height = self.size
        regions = [Region(0, y, width, 1) for y in tops if self._head <= y < height]
        if regions:
            self.refresh(*regions)

    def on_resize(self) -> None:
        """Other columns may have room."""
        self._cache.clear()
        self._rows.lay_out(self.size.width - self._gutter)
        self.virtual_size = Size(self.size.width, len(self._rows.lines) + self._head)
        self._reveal()

    def notify_style_update(self) -> None:
        """Another theme, another focus."""
        super().notify_style_update()
        self._cache.clear()

    # --- drawing

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        if y < self._head:
            titles = [self._rows.title(i) for i in range(len(self._rows.columns))]
            return self._drawn(titles, "table--header", [" " * self._gutter])
        index = self._index(y)
        if index is not None:
            return self._row(index)
        if not self._rows.lines and y == self._head:
            wanted = self._rows.filter if self._rows.every else ""
            text = [" " * self._gutter, one_line(f"nothing has “{wanted}”" if wanted else self.empty)]
            return strip(text, self.get_visual_style("table--empty"), self.size.width)
        return Strip.blank(self.size.width, self.rich_style)

    def _row(self, index: int) -> Strip:
        line = self._rows.lines[index]
        here, marked = index == self._cursor, line.row.key in self._marked
        look = "table--cursor" if here else "table--hover" if index == self._hover else ""
        asked = (line.stamp, look, marked, self._rows.places, self.has_focus)
        drawn = self._cache.get(asked)
        if drawn is None:
            drawn = self._cache[asked] = self._drawn(line.row.cells, look, self._lead(here, marked))
        return drawn

    def _lead(self, here: bool, marked: bool) -> list[Cell]:
        cursor: Cell = Text("▌", "$frame-focus" if self.has_focus else "$muted") if here else " "
        mark: Cell = Text("◆", "$mark") if marked else " "
        return [cursor, mark] if self.marking else [cursor]

    def _drawn(self, cells: Sequence[Cell], look: str, lead: list[Cell]) -> Strip:
        base = self.get_visual_style(look) if look else self.visual_style
        parts = lead
        for number, place in enumerate(self._rows.places):
            cell = cells[place.index] if place.index < len(cells) else ""
            parts += [" " * GAP] if number else []
            parts.append(laid(cell, place.width, self._rows.columns[place.index].align))
        reverse = bool(look and self.get_component_styles(look).text_style.reverse)
        return strip(parts, base, self.size.width, reverse=reverse)
