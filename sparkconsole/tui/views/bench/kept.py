"""The list of kept benchmarks: a row each, two of them marked to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.views.bench.show import history_row
from sparkconsole.tui.widgets.styled_text import content

NOTHING = "no results yet: your first result will appear here"


KEYS = (Key("kept.mark", "space", "mark"), Key("kept.show", "enter", "show", display="⏎"))


class KeptBenches(OptionList):
    """Enter shows one; `marked` are at most two ids, the older mark first."""

    BINDINGS: ClassVar = [Binding("space", "mark", "mark", show=False)]

    @dataclass
    class Shown(Message):
        """One of them was chosen."""

        id: str

    def __init__(self, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._benches: tuple[Mapping[str, Any], ...] = ()
        self.marked: tuple[str, ...] = ()
        self._wide = 0

    def offer(self, benches: Sequence[Mapping[str, Any]]) -> None:
        """Shows these, newest first; marks of those that are gone are dropped."""
        self._benches = tuple(benches)
        self.marked = tuple(m for m in self.marked if any(b["id"] == m for b in benches))
        self._draw()

    @property
    def OFFERS(self) -> tuple[Key, ...]:  # noqa: N802 - as focus.py asks for it
        """What its keys do, where there is a row."""
        return KEYS if self._benches else ()

    def on_resize(self) -> None:
        """Rows are as wide as the list."""
        if self.size.width != self._wide:
            self._draw()

    def _draw(self) -> None:
        at, self._wide = self.highlighted, self.size.width
        width = max(self._wide - 2, 10)
        rows = [Option(content([history_row(b, width, mark=self._mark(b["id"]))])) for b in self._benches]
        self.clear_options()
        self.add_options(rows or [Option(NOTHING, disabled=True)])
        if rows:
            self.highlighted = min(at or 0, len(rows) - 1)

    def _mark(self, name: str) -> str:
        return str(self.marked.index(name) + 1) if name in self.marked else " "

    def action_mark(self) -> None:
        """Marks the row under the cursor or takes its mark away; a third mark lets the first go."""
        if self.highlighted is None or not self._benches:
            return
        name = str(self._benches[self.highlighted]["id"])
        others = tuple(m for m in self.marked if m != name)
        self.marked = others if name in self.marked else (*others, name)[-2:]
        self._draw()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click."""
        event.stop()
        if self._benches:
            self.post_message(self.Shown(str(self._benches[event.option_index]["id"])))
