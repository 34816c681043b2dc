"""Before leaving while work is attached: what goes on without the console, and what does not."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Static

from sparkconsole.model.text.printable import printable
from sparkconsole.tui.dialogs.dialog import COPY
from sparkconsole.tui.dialogs.question import Question
from sparkconsole.tui.work import Task


class Leave(Question):
    """Answers True when the person leaves all the same."""

    OFFERS = (COPY,)

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        self._tasks = tuple(tasks)

    def compose(self) -> ComposeResult:
        """One line per piece of work."""
        with Vertical(classes="dialog") as panel:
            panel.border_title = "Leave?"
            yield Static(self.text(), markup=False, classes="part")
            with Horizontal(classes="dialog-buttons"):
                yield Button("Stay  esc", id="stay", compact=True)
                yield Button("Leave  ^j", id="leave", variant="warning", compact=True)

    def begin(self) -> None:
        """Enter at once stays."""
        self.begin_at("#stay")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The answer."""
        self.dismiss(event.button.id == "leave")

    def text(self) -> str:
        """What is under way and what becomes of it."""
        lines = [f"▶ {printable(t.title)}: {_fate(t)}" for t in self._tasks]
        return "\n".join((*lines, "", "Served models and started containers keep running."))


def _fate(task: Task) -> str:
    run = task.session.run if task.session else None
    if run is not None and run.jobs:
        return f"keeps running; sparkconsole runs attach {run.id} follows it again"
    return "stops where it is" if task.plan else "ends; it changes nothing"
