"""Every key of the view, made from the live keys: what is listed works, and what works is listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from sparkconsole.tui.dialogs.dialog import Dialog
from sparkconsole.tui.draw.frame import folded
from sparkconsole.tui.keyboard.keys import Key, summary

if TYPE_CHECKING:
    from sparkconsole.tui.host import ShownView

KEY_WIDTH, NAME_WIDTH = 8, 16
ALSO = (
    ("↑↓ j k", "Move in a list; enter opens, tab goes to the next pane."),
    ("^p", "The palette: every verb and every word of the console, by name."),
    ("^q", "Quit at once, without asking. What runs on the cluster keeps running."),
)
STATES = "● up   ! warning   ✖ lost or failed   ○ none   – unknown   ▶ running   ✔ done"


class Help(Dialog[None]):
    """Looks first, then what changes the cluster."""

    SIZE = "-wide-dialog"

    def __init__(self, view: ShownView) -> None:
        super().__init__(f"keys · {view.NAME}")
        self._view = view

    def compose_body(self) -> ComposeResult:
        """One line per key."""
        with VerticalScroll(classes="dialog-body", can_focus=True):
            yield Static(id="keys", markup=False)

    def begin(self) -> None:
        """Once there is a width, and again when that changes."""
        self.call_after_refresh(self._draw_keys)

    on_resize = begin

    def _draw_keys(self) -> None:
        if not self.stands:
            return
        pane = self.query_one("#keys", Static)
        pane.update(help_text(self._view.keys_here(), self.console.written, max(pane.size.width - 2, 40)))


def help_text(keys: tuple[Key, ...], written: Callable[[Key], str], width: int = 200) -> Text:
    """Lower case looks, capitals change; a verb's key has the verb's own summary."""
    text = Text()
    broad = max(NAME_WIDTH, *(len(key.id) for key in keys))
    for title, changes in (("view", False), ("change the cluster, after asking", True)):
        here = [k for k in keys if k.changes is changes]
        if here:
            text.append(f"{title}\n", style="bold")
        for key in here:
            _append(text, written(key), f" {key.id:<{broad}} ", summary(key), width)
    text.append("\nalso\n", style="bold")
    for name, whole in ALSO:
        _append(text, name, " ", whole, width)
    text.append("\nsymbols\n", style="bold")
    for line in folded(STATES, width - 2):
        text.append(f"  {line}\n")
    return text


def _append(text: Text, key: str, name: str, whole: str, width: int) -> None:
    """The sentence is folded within its own column."""
    begin = f"  {key:<{KEY_WIDTH}}"
    first, *rest = folded(whole, max(width - len(begin) - len(name), 20)) or [""]
    text.append(begin, style="bold").append(f"{name}{first}\n")
    for line in rest:
        text.append(" " * (len(begin) + len(name)) + f"{line}\n")
