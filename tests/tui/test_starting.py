"""The console starts where Textual has the loop run new tasks at once: Python 3.12 and newer.

`run_test()` does not set that up, so a pilot sees nothing of it; `run_async` is what a person gets.
"""

from __future__ import annotations

import asyncio

import pytest
from textual.app import App, ComposeResult, ScreenStackError
from textual.screen import Screen
from textual.widgets import Input

from sparkconsole.tui.app import Console
from sparkconsole.tui.process import tasks_wait_their_turn
from sparkconsole.verbs.grammar.session import Options

EAGER = hasattr(asyncio, "eager_task_factory")


class First(Screen[None]):
    def compose(self) -> ComposeResult:
        yield Input()


class Smallest(App[str]):
    """All that it takes: an Input in the first screen of the first mode."""

    MODES = {"first": First}  # noqa: RUF012
    DEFAULT_MODE = "first"

    def on_mount(self) -> None:
        self.call_after_refresh(self.exit, "started")


class Patient(Smallest):
    on_load = tasks_wait_their_turn


async def test_an_app_whose_tasks_wait_their_turn_starts() -> None:
    assert await Patient().run_async(headless=True) == "started"


async def test_textual_still_needs_it() -> None:
    """Fails when Textual is mended: then tasks_wait_their_turn and its line in app.py can go."""
    app = Smallest()
    await app.run_async(headless=True)
    assert isinstance(app._exception, ScreenStackError) == EAGER, "Textual starts by itself now"


async def test_the_console_starts_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(Options(demo=2))
    monkeypatch.setattr(Console, "_begin", lambda self: self.exit(return_code=7))
    await console.run_async(headless=True)
    assert (console.return_code, console._exception) == (7, None)
