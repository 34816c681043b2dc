"""A dialog is a panel above the view; `esc` closes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import on
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import DescendantBlur, DescendantFocus, Key, Mount, Paste
from textual.screen import ModalScreen
from textual.widgets import Static

from sparkconsole.tui.keyboard.keys import Key as Named

if TYPE_CHECKING:
    from sparkconsole.tui.host import Host

T = TypeVar("T")


CLOSE = Named("dialog.close", "escape", "close", display="esc")
COPY = Named("dialog.copy", "y", "copy")


class Note(Static):
    """A sentence along the lower edge of the screen, where a toast would cover what the dialog asks."""


class Dialog(ModalScreen[T]):
    """What every dialog has."""

    BINDINGS: ClassVar = [
        Binding("escape", "dismiss_it", "close", id="dialog.close"),
        Binding("y", "copy", "copy", id="dialog.copy"),
        Binding("colon", "line(False)", show=False),
        Binding("slash", "line(True)", show=False),
    ]
    OFFERS: ClassVar[tuple[Named, ...]] = (CLOSE,)
    """What its frame offers, as far as the focus lets it through."""
    HANDED_ON: ClassVar[frozenset[str]] = frozenset()
    """Ids of bindings of its widgets that come to the same."""
    LOOKS: ClassVar[bool] = True
    """It only shows something: the next takes its place, `:` closes it. A question waits for its answer."""
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012

    @property
    def console(self) -> Host:
        """The app, as what it is."""
        return cast("Host", self.app)

    def text(self) -> str:
        """What `y` copies."""
        return ""

    def takes(self, typed: Key | Paste) -> bool:
        """Whether what was typed may reach it."""
        return True

    def offers(self) -> tuple[Named, ...]:
        """What its frame offers now."""
        return self.OFFERS

    @on(Mount)
    @on(DescendantFocus)
    @on(DescendantBlur)
    def offer(self) -> None:
        """Other keys work now."""
        from sparkconsole.tui.keyboard.focus import reaching

        offers = (f"{k.display or k.keys} {k.label}" for k in reaching(self, self.offers(), self.HANDED_ON))
        for panel in self.query(".dialog").results(Vertical):
            panel.border_subtitle = " · ".join(offers)

    @property
    def stands(self) -> bool:
        """It is open; one that was closed at once, by an esc typed ahead, never gets what it shows."""
        return self in self.app.screen_stack

    @on(Mount)
    def _begin(self) -> None:
        if self.stands:
            self.begin()

    def begin(self) -> None:
        """What it does first, once it stands."""

    def begin_at(self, selector: str) -> None:
        """Gives the focus to that widget; a dialog that closes before it was shown has none."""
        for widget in self.query(selector):
            widget.focus()
            return

    def find(self, text: str) -> None:
        """Brings the first line with that text into sight, where there are lines."""

    def note(self, text: str, seconds: float) -> None:
        """Says something for a while without covering the dialog."""
        for old in self.query(Note):
            old.remove()
        note = Note(text, markup=False)
        self.mount(note)
        self.add_class("-noted")
        self.set_timer(seconds, partial(self._take_away, note))

    def _take_away(self, note: Note) -> None:
        """A newer one stays."""
        note.remove()
        self.set_class(any(other is not note for other in self.query(Note)), "-noted")

    def action_line(self, filtering: bool) -> None:
        """`:` and `/` are those of the view: what is typed behind them belongs to the line."""
        if self.LOOKS:
            self.dismiss(None)
        self.console.open_line(filtering=filtering)

    def action_dismiss_it(self) -> None:
        """Closes it without an answer."""
        self.dismiss(None)

    def action_copy(self) -> None:
        """Puts its text on the clipboard (OSC 52: through SSH too)."""
        if text := self.text():
            self.app.copy_to_clipboard(text)
        self.notify("copied" if text else "there is nothing to copy", timeout=2)
