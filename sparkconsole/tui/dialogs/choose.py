"""A list to choose one thing from; typing narrows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from sparkconsole.model.text.redact import presentable
from sparkconsole.tui.dialogs.dialog import CLOSE, Dialog
from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.widgets.styled_text import content


class Choices(OptionList, can_focus=False):
    """The keys stay in the line above it."""


class Choose(Dialog[int]):
    """Answers with the number of the row, None when nothing was chosen. A row: kind, title, detail."""

    BINDINGS: ClassVar = [
        Binding("down", "move(1)", show=False, id="choose.move"),
        Binding("up", "move(-1)", show=False),
        Binding("enter", "take", show=False, id="choose.take"),
    ]
    OFFERS = (
        Key("choose.move", "down", "choose", display="↑↓"),
        Key("choose.take", "enter", "take", display="enter"),
        CLOSE,
    )
    SIZE, BEGINS_AT = "-wide-dialog", "Input"
    DEFAULT_CSS = """
    Choose OptionList { height: auto; max-height: 60vh; border: none; background: $surface; padding: 0; }
    Choose Input { margin-bottom: 1; }
    """

    def __init__(self, heading: str, rows: Sequence[tuple[str, str, str]], nothing: str) -> None:
        super().__init__(heading)
        self._rows, self._nothing = tuple(rows), nothing

    def compose_body(self) -> ComposeResult:
        """A line to type in, and the rows."""
        yield Input(placeholder="type to filter", compact=True)
        yield Choices(markup=False)

    def begin(self) -> None:
        """Typing works at once; the arrows move in the list."""
        self._show("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Only rows with that text."""
        self._show(event.value)

    def _show(self, text: str) -> None:
        rows = self.query_one(OptionList)
        rows.clear_options()
        found = [i for i, row in enumerate(self._rows) if text.lower() in " ".join(row).lower()]
        rows.add_options([Option(content([_row(self._rows[i])]), id=str(i)) for i in found])
        if found:
            rows.highlighted = 0
        else:
            rows.add_option(Option("nothing has that text" if self._rows else self._nothing, disabled=True))

    def action_move(self, step: int) -> None:
        """The row before or after."""
        rows = self.query_one(OptionList)
        rows.action_cursor_down() if step > 0 else rows.action_cursor_up()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter takes the row under the cursor."""
        self.action_take()

    def action_take(self) -> None:
        """See above."""
        self.query_one(OptionList).action_select()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """So does a click."""
        if event.option_id is not None:
            self.dismiss(int(event.option_id))


def _row(row: tuple[str, str, str]) -> Text:
    kind, title, detail = (presentable(cell) for cell in row)
    text = Text(no_wrap=True, end="").append(f"{kind:<8}", "$muted")
    return text.append(title, "bold").append(f"  {detail}", "$muted")
