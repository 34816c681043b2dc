"""What a looking verb found, above the view."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from sparkconsole.model.answer import Answer, Sheet
from sparkconsole.model.text import printable
from sparkconsole.tui.dialogs.dialog import Dialog
from sparkconsole.tui.show.sheet import sheet_lines


class AnswerSheet(Dialog[None]):
    """Scrolls; `y` copies it as text."""

    def __init__(self, title: str, answer: Answer) -> None:
        super().__init__()
        self._title, self.answer = title, answer

    def compose(self) -> ComposeResult:
        """The parts below each other."""
        with Vertical(classes="dialog -wide-dialog") as panel:
            panel.border_title = printable(self._title).replace("[", r"\[")
            panel.border_subtitle = "esc close · y copy"
            with VerticalScroll(classes="dialog-body", can_focus=True):
                for part in self.answer.parts or ("nothing to say",):
                    yield Static(Text("\n".join(_lines(part))), markup=False, classes="part")

    def on_mount(self) -> None:
        """The keys scroll."""
        self.query_one(VerticalScroll).focus()

    def text(self) -> str:
        """All of it."""
        return "\n".join(line for part in self.answer.parts for line in _lines(part))


def _lines(part: Sheet | str) -> list[str]:
    return sheet_lines(part) if isinstance(part, Sheet) else printable(part).splitlines()
