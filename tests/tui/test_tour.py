"""The README's tour by keys alone, walked to the letter; and the footer offers only keys that work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sparkconsole.config.globals import Origin
from sparkconsole.fleet.store import Store
from sparkconsole.model.cluster import Cluster
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.keyboard.keys import VIEWS
from sparkconsole.tui.keystrokes import ONCE_S
from sparkconsole.tui.task import TaskState
from sparkconsole.verbs.grammar.dispatch import understand
from tests.tui.harness import app_of, console, screen_text, seen, soon

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TOUR = re.search(r"a first round by keys alone: (.*?takes everything down)", README, re.DOTALL)
NAMED = {"^j": "ctrl+j"}
SHOWN = {"C": "C copies it there", "V": "vllm serve", "ctrl+j": "^j benchmarks"}
"""What a person reads before pressing that key."""
STEPS = ("image build", "image copy", "launch", "serve", "bench run", "stop")
"""What the tour comes to."""


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def tour() -> list[str]:
    """The keys that the README names, in its order."""
    assert TOUR is not None, "README.md has the tour"
    named = re.findall(r"`([^`]+)`|(arrow keys)", TOUR.group(1))
    return [NAMED.get(key, key) if key else "down" for key, _ in named]


def test_the_tour_is_read_as_it_is_written() -> None:
    assert tour() == [*"3BC1U5", "down", *"V6", "ctrl+j", *"1D"]


async def done(pilot: Pilot[Any], count: int, key: str) -> str:
    """What the work of that number was, after its question was agreed to and it ended well."""
    app = app_of(pilot)
    assert app.work is not None
    tasks = app.work.tasks

    def over() -> bool:
        return len(tasks) == count and not tasks[-1].running

    for _ in range(1500):
        await pilot.pause(0.01)
        if (isinstance(app.screen, Confirm) and app.screen._painted) or len(tasks) == count:
            break
    else:
        pytest.fail(f"no question came:\n{screen_text(pilot)}")
    if key == "ctrl+j":
        await pilot.pause(2 * ONCE_S)  # the key that asked agrees once it can have been read
    await pilot.press("ctrl+j")
    for _ in range(4000):
        await pilot.pause(0.01)
        if over():
            break
    assert over(), f"work {count} never came to its end:\n{screen_text(pilot)}"
    assert tasks[-1].state is TaskState.DONE, tasks[-1].error
    return " ".join(tasks[-1].words)


async def test_the_readmes_tour_by_keys_alone_does_what_it_says() -> None:
    said: list[str] = []
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        for key in tour():
            await seen(pilot, lambda t, key=key: SHOWN.get(key, "") in t)  # type: ignore[misc]
            await pilot.press(key)
            if key.isdigit():
                await seen(pilot, lambda t, key=key: f"[{key} " in t)  # type: ignore[misc]
            elif key != "down":
                said.append(await done(pilot, len(said) + 1, key))
    assert [line[: len(step)] for line, step in zip(said, STEPS, strict=True)] == list(STEPS), said


FORMS = {"serve": "5", "bench": "6", "launch": "4", "images": "3"}


def footer(pilot: Pilot[Any]) -> str:
    """The last line of the screen."""
    return screen_text(pilot).splitlines()[-1]


@pytest.mark.parametrize("view", FORMS)
async def test_the_footer_offers_no_key_that_the_focused_field_swallows(view: str) -> None:
    async with console(size=(200, 48)) as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        await pilot.press(FORMS[view])
        await seen(pilot, lambda t: f"[{FORMS[view]} " in t)
        assert ": cmd" in footer(pilot)
        fields = [w for w in app_of(pilot).view.query(Input) if w.focusable and w.id != "prompt-input"]
        for field in fields:
            field.focus()
            told = await seen(pilot, lambda t: "esc leave the field" in t.splitlines()[-1])
            before = field.value
            offered = app_of(pilot).view.keys_offered()
            assert all(len(key.keys) > 1 for key in offered), told.splitlines()[-1]
            assert field.value == before
            break
        else:
            assert view == "launch", "its first page has no field"


@pytest.mark.parametrize("opens", [":", "/"])
async def test_the_footer_of_the_line_is_the_lines_own(opens: str) -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        await pilot.press(opens)
        told = await seen(pilot, lambda t: "esc leave" in t.splitlines()[-1])
        assert ": cmd" not in told.splitlines()[-1]
        await app_of(pilot).view.action_press("line.leave")
        await seen(pilot, lambda t: ": cmd" in t.splitlines()[-1])


async def test_in_a_field_that_is_typed_in_a_capital_is_a_letter_and_the_footer_says_how_to_serve() -> None:
    async with console(size=(120, 40)) as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        await pilot.press("5", "tab")
        told = await seen(pilot, lambda t: "^j serve…" in t.splitlines()[-1])
        assert "V serve" not in told.splitlines()[-1]
        await pilot.press("V")
        assert "│ model       V" in await seen(pilot)
        await pilot.press("escape")
        await seen(pilot, lambda t: "V serve…" in t.splitlines()[-1])


@pytest.mark.parametrize("digit", [str(n) for n in range(1, len(VIEWS) + 1)])
async def test_the_words_that_an_empty_cluster_names_are_words_that_can_be_said(digit: str) -> None:
    """What is filled in by the person stands in capitals."""
    async with console(size=(120, 40)) as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        await pilot.press(digit)
        app_of(pilot).store = Store(Cluster())
        text = await seen(pilot, lambda t: f"[{digit} " in t)
        for line in re.findall(r"(?:Type|:|or)  ?: ?(node [a-zA-Z ]*?)(?:  |$|[│.])", text, re.MULTILINE):
            understand(shlex.split(line.strip()), Origin.CONSOLE)
        assert "node add ADDRESS" not in text
