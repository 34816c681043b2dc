"""Every key of the view, made from the live keys: what is listed works, and what works is listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from sparkconsole.tui.dialogs.dialog import Dialog
from sparkconsole.tui.keys import Key
from sparkconsole.verbs.registry import load

if TYPE_CHECKING:
    from sparkconsole.tui.view import View

STATES = "● up   ! warning   ✖ lost or failed   ○ none   – not known   ▶ running   ✔ done"


class Help(Dialog[None]):
    """Looks first, then what changes the cluster."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        """One line per key."""
        with Vertical(classes="dialog -wide-dialog") as panel:
            panel.border_title = f"keys · {self._view.NAME}"
            panel.border_subtitle = "esc close"
            with VerticalScroll(classes="dialog-body", can_focus=True):
                yield Static(help_text(self._view.keys_here(), self.console.written), markup=False)

    def on_mount(self) -> None:
        """The keys scroll."""
        self.query_one(VerticalScroll).focus()


def help_text(keys: tuple[Key, ...], written: Callable[[Key], str]) -> Text:
    """Lower case looks, capitals change; a verb's key has the verb's own summary."""
    text = Text()
    for title, changes in (("looks", False), ("changes the cluster, after asking", True)):
        here = [k for k in keys if k.changes is changes]
        if here:
            text.append(f"{title}\n", style="bold")
        for key in here:
            text.append(f"  {written(key):<10}", style="bold")
            text.append(f" {key.id:<16} {summary(key)}\n")
    text.append("\nsigns\n", style="bold")
    return text.append(f"  {STATES}\n")


def summary(key: Key) -> str:
    """What the key does, in a sentence."""
    return key.help or (load()[key.verb].summary if key.verb in load() else key.label)
