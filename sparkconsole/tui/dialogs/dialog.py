"""A dialog is a panel above the view; `esc` closes it. The simplest of them: that a plan is being made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.events import DescendantBlur, DescendantFocus, Key, Mount, Paste
from textual.screen import ModalScreen
from textual.widgets import Static

from sparkconsole.model.text.redact import redact
from sparkconsole.tui.keyboard.focus import reaching
from sparkconsole.tui.keyboard.keys import Key as Named
from sparkconsole.tui.widgets.styled_text import frame_title

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
    SIZE: ClassVar[str] = ""
    """The class of its panel, where that has another size than most."""
    BEGINS_AT: ClassVar[str] = "VerticalScroll"
    """The widget that has the focus at first, with the terminal in front or not."""

    def __init__(self, heading: str) -> None:
        super().__init__()
        self._heading = heading

    def compose(self) -> ComposeResult:
        """The panel around `compose_body`."""
        with Vertical(classes=f"dialog {self.SIZE}") as panel:
            panel.border_title = frame_title(self._heading)
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        """What stands in the panel."""
        yield from ()

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
            if found := self.query(self.BEGINS_AT):
                found.first().focus()
            self.begin()

    def begin(self) -> None:
        """What it does first, once it stands."""

    def find(self, text: str) -> None:
        """Brings the first line with that text into sight, where there are lines."""

    def note(self, text: str, seconds: float) -> None:
        """Says something for a while without covering the dialog."""
        self.query(Note).remove()
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
            self.app.copy_to_clipboard(redact(text))
        self.notify("copied" if text else "there is nothing to copy", timeout=2)


class Planning(Dialog[None]):
    """Between the word and its question: the nodes are looked at, and no key reaches the view below.

    Stands until the question, the answer or the error does; esc gives the plan up.
    """

    LOOKS = False
    OFFERS = (replace(CLOSE, label="cancel"),)

    def __init__(self, words: Sequence[str], give_up: Callable[[], None]) -> None:
        super().__init__(" ".join(words))
        self._give_up, self._over = give_up, False

    def compose_body(self) -> ComposeResult:
        """One line."""
        yield Static("planning: asking the nodes …", markup=False)

    def on_mount(self) -> None:
        """It may be over before it stands, and what stood above it may have gone."""
        self._leave()

    on_screen_resume = on_mount

    def over(self) -> None:
        """Goes now, or as soon as nothing stands above it."""
        self._over = True
        self._leave()

    def _leave(self) -> None:
        if self._over and self.is_mounted and self.is_active:
            self.dismiss(None)

    def action_dismiss_it(self) -> None:
        """Nothing has been done yet."""
        self._give_up()
        self.over()
