"""The console's frame: opening, the eight views, the command line, dialogs, small terminals, leaving."""

from __future__ import annotations

import gc
import re
from pathlib import Path

import pytest
from textual._styles_cache import StylesCache
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Button

from sparkconsole.config.globals import Options
from sparkconsole.config.settings import Settings
from sparkconsole.errors import WrongConfig
from sparkconsole.model.work.answer import Answer
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.dialogs.question import Leave
from sparkconsole.tui.keyboard.keys import VIEWS
from sparkconsole.tui.line.prompt import CommandInput
from tests.tui.harness import SIZES, app_of, console, screen_text, seen, soon


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.mark.parametrize("size", SIZES)
async def test_every_view_is_a_digit_away_and_says_where_it_is(size: tuple[int, int]) -> None:
    async with console(size=size) as pilot:
        for number, name in enumerate(VIEWS, 1):
            await pilot.press(str(number))
            text = await seen(pilot, lambda t, n=number, v=name: f"[{n} {v.title()}]" in t)  # type: ignore[misc]
            assert "DEMO" in text, "the pretend cluster says so on every screen"
            assert "? help" in text


async def test_no_nodes_is_a_state_of_its_own() -> None:
    app = Console(Options(), Settings(), still=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        text = await seen(pilot, lambda t: "No nodes yet" in t)
        assert "node add" in text
        assert "--demo" in text
        for number in range(2, 9):
            await pilot.press(str(number))
            assert await seen(pilot, lambda t, n=number: f"[{n} " in t)  # type: ignore[misc]


async def test_a_wrong_inventory_ends_the_console_with_file_and_line(own_home: Path) -> None:
    file = own_home / "config" / "sparkconsole" / "cluster.toml"
    file.parent.mkdir(parents=True)
    file.write_text('default = "lab"\n[clusters.lab]\nimge = "x"\n')
    app = Console(Options(), Settings(), still=True)
    async with app.run_test() as pilot:
        await soon(lambda: not app.is_running or app.return_value is not None, "it ends")
        await pilot.pause()
    assert isinstance(app.return_value, WrongConfig)
    assert "cluster.toml" in app.return_value.cause


async def test_a_verb_that_does_not_exist_stays_in_the_line_with_the_nearest() -> None:
    async with console() as pilot:
        await seen(pilot, lambda t: "demo" in t)
        await pilot.press("colon", *"lanch", "enter")
        assert "did you mean launch?" in await seen(pilot)
        assert app_of(pilot).query_one(CommandInput).value == "lanch"
        await pilot.press("escape")
        assert app_of(pilot).work is not None
        assert app_of(pilot).work.tasks == []


async def test_a_look_is_answered_above_the_view() -> None:
    async with console() as pilot:
        await pilot.press("colon", *"node list", "enter")
        text = await seen(pilot, lambda t: "esc close" in t)
        assert "spark-02" in text
        await pilot.press("escape")
        assert "esc close" not in await seen(pilot)


async def test_nothing_is_kept_of_sheets_that_were_closed() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        for _ in range(3):
            app.show_answer(("check",), Answer(parts=("all is well",)))
            await pilot.pause()
            await pilot.press("escape")
        await pilot.press("2", "1")
        await pilot.pause()
        gc.collect()
        widgets = sum(isinstance(o, Widget) for o in gc.get_objects())
        assert sum(isinstance(o, StylesCache) for o in gc.get_objects()) <= widgets


async def test_a_deed_shows_its_plan_with_cancel_focused() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await pilot.press("colon", *"image build", "enter")
        await soon(lambda: isinstance(app.screen, Confirm), "a question")
        await pilot.pause()
        assert "$ " not in screen_text(pilot), "commands are folded"
        await pilot.press("e", "pagedown")
        await pilot.pause()
        assert "docker build" in screen_text(pilot)
        assert app.focused is app.screen.query_one("#cancel", Button)
        await pilot.press("enter")
        await pilot.pause()
        assert app.work is not None
        assert app.work.tasks == [], "enter at once changes nothing"


async def test_read_only_refuses_and_says_so() -> None:
    async with console(read_only=True) as pilot:
        assert "read-only" in await seen(pilot)
        await pilot.press("colon", *"launch", "enter")
        await seen(pilot, lambda t: "this session is read-only" in " ".join(t.split()) or "read-only" in t)
        assert app_of(pilot).work is not None
        assert app_of(pilot).work.tasks == []


async def test_leaving_while_work_is_attached_asks() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await pilot.press("colon", *"image build", "enter")
        await soon(lambda: isinstance(app.screen, Confirm), "a question")
        await soon(lambda: app.focused is not None and app.focused.id == "cancel", "Cancel has the focus")
        await soon(lambda: app.screen.takes(Key("tab", None)), "it was painted")  # type: ignore[attr-defined]
        await pilot.press("tab", "enter")
        await soon(lambda: app.work is not None and app.work.running, "the build runs")
        await soon(lambda: not isinstance(app.screen, Confirm), "the question has gone")
        await pilot.press("q")
        await soon(lambda: isinstance(app.screen, Leave), "a question")
        await seen(pilot, lambda t: "keep running" in t)
        await pilot.press("enter")
        await pilot.pause()
        assert app.is_running, "enter at once stays"


@pytest.mark.parametrize("size", [(20, 5), (1, 1), (59, 15)])
async def test_a_tiny_terminal_says_what_it_needs_and_goes_on(size: tuple[int, int]) -> None:
    async with console(size=size) as pilot:
        await pilot.press("3", "1")
        await seen(pilot)
        await pilot.resize_terminal(80, 24)
        assert "[1 Cluster]" in await seen(pilot, lambda t: "[1 Cluster]" in t)


async def test_a_narrow_terminal_shows_every_tab_and_each_takes_a_click() -> None:
    async with console(size=(60, 16)) as pilot:
        for number, name in enumerate(VIEWS, 1):
            line = screen_text(pilot).splitlines()[1]
            assert [str(n) for n in range(1, 9)] == re.findall(r"\d", line)
            await pilot.click(offset=(line.index(str(number)) + 1, 1))
            await soon(lambda name=name: name == app_of(pilot).view.NAME, name)  # type: ignore[misc]
            await soon(lambda name=name: f"{name.title()}]" in screen_text(pilot), name)  # type: ignore[misc]


async def test_a_storm_of_resizes_leaves_a_whole_screen() -> None:
    async with console(size=(160, 48)) as pilot:
        for number in range(1, 9):
            await pilot.press(str(number))
            for width, height in ((20, 5), (200, 60), (79, 23), (61, 16), (160, 48)):
                await pilot.resize_terminal(width, height)
        assert "[8 Runs]" in await seen(pilot)


async def test_an_unknown_theme_and_a_wrong_keymap_are_said_and_the_console_goes_on() -> None:
    settings = Settings(theme="spark-drak", keys={"nod.restart": "f9", "help": "ctrl+q"})
    async with console(settings=settings) as pilot:
        await seen(pilot, lambda t: "demo" in t)
        told = [event.text for event in app_of(pilot).store.events]
        assert any("spark-drak" in text for text in told)
        assert any("node.restart" in text for text in told), "the nearest key is named"
        assert any("quits at once" in text for text in told)
