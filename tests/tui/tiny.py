"""The smallest app around one widget, and its screen as text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from sparkconsole.tui.theme import load_themes, variable_defaults

HOSTILE = (
    "[/x]", "[bold]x", "\x1b[31mred\x1b[0m", "a\x00b\rc\td\ne", "日本語ノード", "e\u0301\u0301\u0301x",
    "", " ", "👩‍👩‍👧‍👦", "\u202eevil", "\udcff", "x" * 5000,
    "\x9b31m", "$nothing", "@click=quit", "\u200b\ufeff", "–",
)  # fmt: skip
"""What a machine may say in any field."""


class Tiny(App[None]):
    """Shows the widget and keeps its messages."""

    def __init__(self, *widgets: Widget) -> None:
        super().__init__()
        self._widgets = widgets
        self.got: list[Message] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults(self.current_theme)

    def compose(self) -> ComposeResult:
        yield from self._widgets

    def on_mount(self) -> None:
        self.animation_level = "none"
        for theme in load_themes()[0]:
            self.register_theme(theme)
        self.theme = "spark-dark"

    def on_event_of(self, message: Message) -> None:
        if not any(m is message for m in self.got):
            self.got.append(message)


@asynccontextmanager
async def tiny(*widgets: Widget, size: tuple[int, int] = (60, 12)) -> AsyncIterator[Pilot[None]]:
    app = Tiny(*widgets)
    async with app.run_test(size=size, message_hook=app.on_event_of) as pilot:
        await pilot.pause()
        yield pilot


def screen(pilot: Pilot[None]) -> str:
    return "\n".join(lines(pilot))


def lines(pilot: Pilot[None]) -> list[str]:
    return [strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()]
