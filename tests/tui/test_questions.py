"""Questions: nothing typed before they stand answers them, views below them live, an old plan never runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.events import Key
from textual.pilot import Pilot

from sparkconsole.demo.faults import inject
from sparkconsole.tui import keystrokes
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.dialogs.dialog import Planning
from sparkconsole.tui.keystrokes import ONCE_S
from tests.still_clock import StillClock
from tests.tui.harness import app_of, console, scene, screen_text, seen, soon
from tests.tui.test_keystrokes import burst


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


async def test_keys_sent_with_the_key_that_asks_answer_nothing_and_reach_no_view() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await soon(app.opened.is_set, "the session is open")
        burst(pilot, "3")
        await soon(lambda: app.view.NAME == "images", "the view")
        burst(pilot, "B")
        for key in ("tab", "enter", "ctrl+j", "4", "enter"):
            app.post_message(Key(key, None))
        await soon(lambda: isinstance(app.screen, Confirm), "the question stands")
        await soon(lambda: app.screen.takes(Key("enter", None)), "it was painted")  # type: ignore[attr-defined]
        assert app.view.NAME == "images"
        assert app.work is not None
        assert app.work.tasks == []
        assert isinstance(app.screen, Confirm)
        await pilot.press("ctrl+j")
        await soon(lambda: app.work is not None and len(app.work.tasks) == 1, "what is typed then counts")


async def test_esc_while_it_is_planned_gives_the_plan_up() -> None:
    async with scene() as (pilot, clock):
        app = app_of(pilot)
        burst(pilot, ":launch\n")
        await soon(lambda: isinstance(app.screen, Planning), "the nodes are looked at")
        burst(pilot, "\x1b")
        await soon(lambda: app.screen is app.view, "the view has the keys again")
        await clock.advance(30)
        await pilot.pause()
        assert app.screen is app.view


ACTIONS = {
    "build": ("idle", "3", "B", "images"),
    "launch by its form": ("copied", "4", "ctrl+j", "launch"),
    "launch": ("copied", "1", "U", "cluster"),
    "stop": ("launched", "1", "D", "cluster"),
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_agreeing_twice_in_one_burst_does_it_once_and_asks_nothing_more(action: str) -> None:
    at, view, key, name = ACTIONS[action]
    async with scene(at) as (pilot, clock):
        app = app_of(pilot)
        assert app.work is not None
        count = len(app.work.tasks)
        await pilot.press(view, key)
        await asked(pilot, clock)
        await asyncio.sleep(ONCE_S + 0.1)
        for _ in range(3):
            app.post_message(Key("ctrl+j", None))
        await later(clock, lambda: app.work is not None and len(app.work.tasks) > count)
        for _ in range(20):
            await clock.advance(0.5)
            await pilot.pause()
        assert name == app.view.NAME
        assert len(app.work.tasks) == count + 1
        assert app.screen is app.view, "nothing else is planned or asked"


async def test_a_key_held_down_does_not_agree_to_the_question_that_it_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However slow this machine is, no key comes later than the one before it and this."""
    monkeypatch.setattr(keystrokes, "ONCE_S", 60.0)
    async with scene("copied") as (pilot, clock):
        app = app_of(pilot)
        assert app.work is not None
        count = len(app.work.tasks)
        await pilot.press("4")
        for _ in range(60):
            app.post_message(Key("ctrl+j", None))
            await clock.advance(0.5)
            await asyncio.sleep(0.02)
        assert isinstance(app.screen, Confirm)
        assert len(app.work.tasks) == count
        await pilot.press("pagedown", "ctrl+j")
        await later(clock, lambda: app.work is not None and len(app.work.tasks) > count)


async def trusting(pilot: Pilot[Any], clock: StillClock) -> Confirm:
    """The dialog that asks whether spark-02's key is to be trusted."""
    show_key(pilot, "SHA256:first")
    app_of(pilot).command("node trust")
    return await asked(pilot, clock)


def show_key(pilot: Pilot[Any], fingerprint: str) -> None:
    """spark-02 shows a host key that nobody trusts yet."""
    session = app_of(pilot).session
    assert session is not None
    assert session.pretend is not None
    inject(session.pretend.machines["spark-02"], "key")
    session.pretend.keys["spark-02"] = fingerprint


def untrusted(pilot: Pilot[Any]) -> bool:
    session = app_of(pilot).session
    return bool(session and session.pretend and session.pretend.unknown_key("spark-02"))


async def test_a_trust_dialog_of_28_minutes_trusts_the_key_that_is_still_shown() -> None:
    async with scene() as (pilot, clock):
        await trusting(pilot, clock)
        await clock.advance(28 * 60)
        await pilot.press("ctrl+j")
        await later(clock, lambda: not untrusted(pilot))
        assert not isinstance(app_of(pilot).screen, Confirm), "nobody is asked twice for the same"


async def test_after_28_minutes_another_key_is_asked_for_and_no_key_reaches_the_view() -> None:
    async with scene() as (pilot, clock):
        app, first = app_of(pilot), await trusting(pilot, clock)
        await clock.advance(28 * 60)
        show_key(pilot, "SHA256:second")
        app.post_message(Key("ctrl+j", None))
        burst(pilot, "4Ds")
        for _ in range(3):
            app.post_message(Key("ctrl+j", None))
            app.post_message(Key("enter", None))
        await later(clock, lambda: isinstance(app.screen, Confirm) and app.screen is not first)
        second = await asked(pilot, clock)
        assert app.view.NAME == "cluster", "the keys were the question's, not the view's"
        assert app.work is not None
        assert app.work.tasks == []
        assert untrusted(pilot)
        assert "SHA256:second" in screen_text(pilot)
        assert "Differences:" in screen_text(pilot)
        await asyncio.sleep(ONCE_S + 0.1)
        await pilot.press("ctrl+j")
        await later(clock, lambda: not untrusted(pilot))
        assert second not in app.screen_stack


async def later(clock: StillClock, true: Callable[[], object]) -> None:
    """Once time has gone on as far as it takes."""
    for _ in range(300):
        if true():
            return
        await clock.advance(0.5)
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


async def test_enter_on_cancel_says_that_nothing_was_done() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        app.command("image build")
        await soon(lambda: isinstance(app.screen, Confirm), "a question")
        await soon(lambda: app.screen.takes(Key("enter", None)), "it was painted")  # type: ignore[attr-defined]
        assert "Build  ^j" in screen_text(pilot)
        await pilot.press("enter")
        await seen(pilot, lambda t: "cancelled; nothing was done" in t)


def lose(pilot: Pilot[Any]) -> None:
    """spark-02 loses its power."""
    session = app_of(pilot).session
    assert session is not None
    assert session.pretend is not None
    inject(session.pretend.machines["spark-02"], "lost")


def below(pilot: Pilot[Any]) -> str:
    """What the view draws, whatever stands above it."""
    return "\n".join(strip.text for strip in app_of(pilot).view._compositor.render_strips())


async def asked(pilot: Pilot[Any], clock: StillClock) -> Confirm:
    """The question, painted."""
    app = app_of(pilot)
    for _ in range(60):
        await clock.advance(0.5)
        await pilot.pause()
        if isinstance(app.screen, Confirm) and app.screen.takes(Key("enter", None)):
            return app.screen
    raise AssertionError(screen_text(pilot))


async def test_the_view_below_a_question_goes_on() -> None:
    async with scene("launched", size=(160, 48)) as (pilot, clock):
        app = app_of(pilot)
        app.command("stop")
        question = await asked(pilot, clock)
        assert "2/2 up" in below(pilot)
        lose(pilot)
        for _ in range(30):
            await clock.advance(1)
            app._sample()
            await pilot.pause()
        await soon(lambda: "1/2 up" in below(pilot), "the top line below the question says so")
        assert question in app.screen_stack


async def test_a_plan_that_cannot_be_made_any_more_after_five_minutes_never_runs() -> None:
    async with scene("built") as (pilot, clock):
        app, work = app_of(pilot), app_of(pilot).work
        assert work is not None
        app.command("image copy --to all")
        question = await asked(pilot, clock)
        count = len(work.tasks)
        lose(pilot)
        await clock.advance(300)
        question.action_go()
        for _ in range(60):
            await clock.advance(1)
            await pilot.pause()
        assert len(work.tasks) == count, "nothing of the old plan ran"
        assert any("spark-02" in f"{event}" for event in app.store.events)


async def test_a_slash_searches_the_plan_that_is_asked_about_and_filters_nothing_below() -> None:
    async with scene("launched", nodes=12) as (pilot, clock):
        app = app_of(pilot)
        await pilot.press("1", "D")
        question, below = await asked(pilot, clock), app.view
        await soon(lambda: question.takes(Key("slash", "/")), "it was painted")
        assert "spark-12" not in dialog_text(pilot)
        await pilot.press("slash")
        await soon(lambda: app.line, "the line above it")
        app.apply_filter("K-12 ")
        assert (question._sought, question._at) == ("K-12", 24), "the first line of that node"
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Confirm), "the question waits for its answer"
        assert app.view is below
        await pilot.press("escape")
        await seen(pilot)
        assert "spark-01" in screen_text(pilot), "the view shows what it showed"


def dialog_text(pilot: Pilot[Any]) -> str:
    """What can be seen of the plan."""
    question = next(s for s in app_of(pilot).screen_stack if isinstance(s, Confirm))
    x, y, width, height = question.query_one(".dialog-body").region
    return "\n".join(line[x : x + width] for line in screen_text(pilot).splitlines()[y : y + height])
