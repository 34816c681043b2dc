"""Between the word and its question: the nodes are looked at, and no key reaches the view below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from sparkconsole.tui.dialogs.dialog import CLOSE, Dialog
from sparkconsole.tui.widgets.styled_text import frame_title


class Planning(Dialog[None]):
    """Stands until the question, the answer or the error does; esc gives the plan up."""

    LOOKS = False
    OFFERS = (replace(CLOSE, label="cancel"),)

    give_up: Callable[[], None] | None = None
    """Ends the planning."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._words, self._over = tuple(words), False

    def compose(self) -> ComposeResult:
        """One line."""
        with Vertical(classes="dialog") as panel:
            panel.border_title = frame_title(" ".join(self._words))
            yield Static("planning: asking the nodes …", markup=False)

    def on_mount(self) -> None:
        """It may be over before it stands."""
        self._leave()

    def on_screen_resume(self) -> None:
        """What stood above it may have gone."""
        self._leave()

    def over(self) -> None:
        """Goes now, or as soon as nothing stands above it."""
        self._over = True
        self._leave()

    def _leave(self) -> None:
        if self._over and self.is_mounted and self.is_active:
            self.dismiss(None)

    def action_dismiss_it(self) -> None:
        """Nothing has been done yet."""
        if self.give_up is not None:
            self.give_up()
        self.over()
