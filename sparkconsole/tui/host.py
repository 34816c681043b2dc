"""What screens, lines and dialogs need of the console that they stand in; none of them imports the app."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sparkconsole.tui.keyboard.keys import Key
from sparkconsole.tui.work import Face

if TYPE_CHECKING:
    from sparkconsole.clock import Clock
    from sparkconsole.fleet.store import Store
    from sparkconsole.fleet.watch.watch import Watch
    from sparkconsole.tui.work import Work
    from sparkconsole.verbs.grammar.session import Options, Session


class ShownView(Protocol):
    """The view that stands below lines and dialogs."""

    NAME: ClassVar[str]

    @property
    def console(self) -> Host:
        """Where it is shown."""

    def crumb(self) -> str:
        """What stands behind the cluster's name."""

    def keys_offered(self) -> tuple[Key, ...]:
        """What the footer offers."""

    def keys_here(self) -> tuple[Key, ...]:
        """Every key that works now."""

    def own_keys(self) -> dict[str, Key]:
        """Those that are no verbs, by their `:` word."""


class Host(Face, Protocol):
    """The console as its parts know it."""

    options: Options
    store: Store
    clock: Clock
    opened: asyncio.Event
    session: Session | None
    watching: Watch | None
    work: Work | None
    command_lines: list[str]
    models: tuple[str, ...]

    @property
    def view(self) -> ShownView:
        """The view under whatever dialog is open."""

    @property
    def available_themes(self) -> dict[str, Any]:
        """By name."""

    def local_time(self) -> datetime:
        """The wall clock as the person reads it."""

    def say(self, words: Sequence[str], *, shown: bool = False, asking: bool = False) -> None:
        """Words are understood, planned, asked about and done."""

    def command(self, line: str) -> str:
        """A `:` line; what is wrong with it, or nothing."""

    def open_line(self, *, filtering: bool, text: str = "") -> None:
        """In the view, or above a question."""

    def action_filter(self) -> None:
        """`/`"""

    @property
    def filters(self) -> bool:
        """There is something to filter or to search."""

    def apply_filter(self, text: str) -> None:
        """To what the line stands above: the view, or a question."""

    def line_closed(self) -> None:
        """What waited for it opens now."""

    def command_words(self) -> tuple[str, ...]:
        """The console's own words."""

    def written(self, key: Key) -> str:
        """A key as this person's keymap has it."""

    def suspend(self) -> Any:
        """The terminal is given away while this is entered."""
