"""A question waits for its answer: nothing that was typed before it stood on the screen can be one."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding
from textual.events import Key, Paste
from textual.message import Message

from sparkconsole.tui.dialogs.dialog import Dialog


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
        return ("escape", "colon")

    def action_go(self) -> None:
        """`^j`"""
        self.dismiss(True)
