"""A question waits for its answer: nothing that was typed before it stood on the screen can be one.

The one before leaving while work is attached: what goes on without the console, and what does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import Button, Static

from sparkconsole.model.text.redact import presentable
from sparkconsole.tui.dialogs.dialog import COPY, Dialog
from sparkconsole.tui.task import Task


class Question(Dialog[bool]):
    """Answers True only when the person agreed: `^j`, or the button."""

    LOOKS = False
    BINDINGS: ClassVar = [Binding("ctrl+j", "go", show=False, id="dialog.go")]
    _painted: float | None = None

    def on_mount(self) -> None:
        """From the first picture on it can be answered."""
        self.call_after_refresh(self._was_painted)

    def _was_painted(self) -> None:
        self._painted = Message().time

    def takes(self, typed: Key | Paste) -> bool:
        """Only what was typed when the question stood on the screen can answer it; esc is never wrong.

        Nor is `:`, which opens the line above the question: what comes behind it is the line's.
        """
        early = self._painted is None or typed.time < self._painted
        return not early or (isinstance(typed, Key) and typed.key in self.harmless)

    @property
    def harmless(self) -> tuple[str, ...]:
        """Keys that change nothing, however early they were typed."""
        return ("escape", "ctrl+q", "colon")

    def action_go(self) -> None:
        """`^j`"""
        self.dismiss(True)


class Leave(Question):
    """Answers True when the person leaves all the same; enter at once stays."""

    OFFERS = (COPY,)
    BEGINS_AT = "#stay"

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__("Leave?")
        self._tasks = tuple(tasks)

    def compose_body(self) -> ComposeResult:
        """One line per piece of work."""
        yield Static(self.text(), markup=False, classes="part")
        with Horizontal(classes="dialog-buttons"):
            yield Button("Stay  esc", id="stay", compact=True)
            yield Button("Leave  ^j", id="leave", variant="warning", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The answer."""
        self.dismiss(event.button.id == "leave")

    def text(self) -> str:
        """What is under way and what becomes of it."""
        lines = [f"▶ {presentable(t.title)}: {_fate(t)}" for t in self._tasks]
        return "\n".join((*lines, "", "Served models and started containers keep running."))


def _fate(task: Task) -> str:
    if task.run is not None and task.run.jobs:
        return f"keeps running; sparkconsole runs attach {task.run.id} follows it again"
    return "stops where it is" if task.plan else "ends; it changes nothing"
