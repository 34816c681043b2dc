"""The nodes as cards or as a table, with a cursor and marks; keys and mouse move and set them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.message import Message

from sparkconsole.fleet.store import NodeState
from sparkconsole.tui.draw.bars import short_names
from sparkconsole.tui.draw.frame import beside, styled
from sparkconsole.tui.draw.node_state import DrawContext
from sparkconsole.tui.views.cluster import show_table as table
from sparkconsole.tui.views.cluster.show import Arrangement
from sparkconsole.tui.views.cluster.show_card import card
from sparkconsole.tui.widgets.lines import Lines


class Board(Lines):
    """`draw` shows the nodes; the cursor stays on its node when the order changes."""

    BINDINGS: ClassVar = [
        Binding(keys, f"move('{keys.partition(',')[0]}')", show=False, id=f"board.{keys.partition(',')[0]}")
        for keys in ("up,k", "down,j", "left", "right", "pageup", "pagedown", "home", "end")
    ]

    class Moved(Message):
        """The cursor is on another node, or a mark was set."""

    class Opened(Message):
        """The node under the cursor was clicked twice."""

    def __init__(self) -> None:
        super().__init__(id="board", focus=True)
        self.cursor = ""
        self.marked: set[str] = set()
        self.states: tuple[NodeState, ...] = ()
        self._plan = Arrangement(0)
        self._table = table.NodeColumns((), 8)

    def draw(
        self, states: Sequence[NodeState], context: DrawContext, plan: Arrangement, wanted: str = ""
    ) -> None:
        """These nodes, in this order. `wanted`: the text that all of them have."""
        self.states, self._plan = tuple(states), plan
        names = [s.name for s in states]
        self.marked &= set(names)
        if self.cursor not in names:
            self.cursor = names[0] if names else ""
        if not names and wanted:
            self.show([Text(""), styled(f"  no node has “{wanted}”; esc shows all of them", "$muted")])
        elif plan.cards:
            self._cards(context)
        else:
            self._rows(context)

    def head(self, width: int, sort: str) -> Text:
        """The names of the table's columns."""
        self._table = table.columns_for(width, [s.name for s in self.states])
        return table.header(self._table, sort)

    @property
    def columns(self) -> tuple[table.NodeColumn, ...]:
        """Those of the table, as it was last drawn."""
        return self._table.columns

    def chosen(self) -> tuple[str, ...]:
        """The marked nodes in their order, else the one under the cursor."""
        marked = tuple(s.name for s in self.states if s.name in self.marked)
        return marked or ((self.cursor,) if self.cursor else ())

    def mark(self) -> None:
        """Marks the node under the cursor, or takes its mark away."""
        self.marked ^= {self.cursor} if self.cursor else set()

    def mark_all(self) -> None:
        """Marks every node that is shown, or none when all are."""
        every = {s.name for s in self.states}
        self.marked = set() if self.marked == every else every

    def go_to(self, name: str) -> None:
        """Puts the cursor there and shows it."""
        self.cursor = name
        each = self._plan.card_height if self._plan.cards else 1
        top = self._index // max(1, self._plan.cards) * each
        seen = min(top, max(self.scroll_offset.y, top + each - self.size.height))
        if seen != self.scroll_offset.y:
            self.scroll_to(y=seen, animate=False, immediate=True)
        self.post_message(self.Moved())

    def action_move(self, way: str) -> None:
        """By one, by a row of cards, by a page, or to an end."""
        if not self.states:
            return
        across = max(1, self._plan.cards)
        each = self._plan.card_height if self._plan.cards else 1
        page = max(1, self.size.height // max(1, each)) * across
        steps = {"left": -1, "right": 1, "up": -across, "down": across, "pageup": -page, "pagedown": page}
        last = len(self.states) - 1
        at = {"home": 0, "end": last}.get(way, self._index + steps.get(way, 0))
        if way in ("up", "down") and not 0 <= at <= last:
            at = self._index if way == "up" or self._index // across == last // across else last
        self.go_to(self.states[min(max(at, 0), last)].name)

    def on_lines_clicked(self, event: Lines.Clicked) -> None:
        """One click selects, two open."""
        event.stop()
        at = event.y
        if self._plan.cards:
            column = min(event.x // max(1, self._plan.card_width), self._plan.cards - 1)
            at = event.y // max(1, self._plan.card_height) * self._plan.cards + column
        if not 0 <= at < len(self.states):
            return
        self.go_to(self.states[at].name)
        if event.times == 2:
            self.post_message(self.Opened())

    @property
    def _index(self) -> int:
        return next((i for i, s in enumerate(self.states) if s.name == self.cursor), 0)

    def _rows(self, context: DrawContext) -> None:
        names = [s.name for s in self.states]
        shown = dict(zip(names, short_names(names, self._table.name_width), strict=True))

        def line(y: int) -> Text:
            state = self.states[y]
            return table.row(state, context, self._table, shown[state.name], **self._marks(state))

        self.show_made(len(self.states), line)

    def _cards(self, context: DrawContext) -> None:
        plan = self._plan

        @cache
        def row(at: int) -> list[Text]:
            states = self.states[at * plan.cards : (at + 1) * plan.cards]
            size = plan.card_width, plan.card_height
            made = [card(state, context, *size, **self._marks(state)) for state in states]
            return beside(made, [plan.card_width] * len(made))

        count = -(-len(self.states) // plan.cards) * plan.card_height
        self.show_made(count, lambda y: row(y // plan.card_height)[y % plan.card_height])

    def _marks(self, state: NodeState) -> dict[str, bool]:
        return {"cursor": state.name == self.cursor, "marked": state.name in self.marked}
