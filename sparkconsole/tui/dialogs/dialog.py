"""A dialog is a panel above the view; `esc` closes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual.binding import Binding
from textual.screen import ModalScreen

if TYPE_CHECKING:
    from sparkconsole.tui.app import Console

T = TypeVar("T")


class Dialog(ModalScreen[T]):
    """What every dialog has."""

    BINDINGS: ClassVar = [
        Binding("escape", "dismiss_it", "close", id="dialog.close"),
        Binding("y", "copy", "copy", id="dialog.copy"),
    ]

    @property
    def console(self) -> Console:
        """The app, as what it is."""
        return cast("Console", self.app)

    def text(self) -> str:
        """What `y` copies."""
        return ""

    def action_dismiss_it(self) -> None:
        """Closes it without an answer."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """Puts its text on the clipboard (OSC 52: through SSH too)."""
        if text := self.text():
            self.app.copy_to_clipboard(text)
            self.notify("copied", timeout=2)
