"""The table of views in docs/console.md: each key is the view's, means what its column says, and answers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.tui.keyboard.keys import GLOBAL, VIEWS, Key
from sparkconsole.tui.views import view_class
from tests.texts import ROOT
from tests.tui.harness import app_of, scene, screen_text, seen, soon

TEXT = (ROOT / "docs" / "console.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\d)` (\w+) \| [^|]+ \| ([^|]*) \| ([^|]*) \|$", TEXT, re.M)
NAMED = {"⏎": "enter", "]": "right_square_bracket"}
SAYS = re.compile(r"`([^`]+)` [^·|]+")
KEYS = [
    (digit, NAMED.get(key, key.replace("^", "ctrl+")), changes)
    for digit, _, looks, alters in ROWS
    for cell, changes in ((looks, False), (alters, True))
    for key in SAYS.findall(cell)
]
EVERYWHERE = re.findall(r"`([^`]+)`", TEXT[: TEXT.index("**Lower case")])[1:]


def the_key(digit: str, pressed: str) -> Key:
    """What the view of that digit makes of a key."""
    keys = (*view_class(VIEWS[int(digit) - 1]).KEYS, *GLOBAL)
    found = [key for key in keys if pressed in key.keys.split(",")]
    assert found, f"no {pressed} in {VIEWS[int(digit) - 1]}"
    return found[0]


def test_the_table_has_every_view() -> None:
    assert [(digit, name.lower()) for digit, name, _, _ in ROWS] == [
        (str(i), name) for i, name in enumerate(VIEWS, 1)
    ]
    assert len(KEYS) > 30


@pytest.mark.parametrize(("digit", "pressed", "changes"), KEYS)
def test_a_key_is_in_the_column_of_what_it_does(digit: str, pressed: str, changes: bool) -> None:
    if pressed != "enter":
        assert the_key(digit, pressed).changes is changes


def test_the_keys_of_every_view_are_there() -> None:
    known = {shown for key in GLOBAL for shown in (key.display, *key.keys.split(","))}
    named = {key for key in EVERYWHERE if key not in ("esc", "ctrl+p")}
    assert named
    assert {{"?": "question_mark", ":": "colon", "/": "slash"}.get(k, k) for k in named} - known == set()


async def answer(pilot: Pilot[Any], pressed: str) -> bool:
    """Whether anything is seen when a key is pressed: on the screen, in a toast, or on the clipboard."""
    app = app_of(pilot)
    before = screen_text(pilot), len(app._notifications), app.clipboard, app.screen
    await pilot.press(pressed)
    for _ in range(200):
        await pilot.pause(0.01)
        if (screen_text(pilot), len(app._notifications), app.clipboard, app.screen) != before:
            return True
    return False


async def test_a_key_that_does_nothing_is_no_answer() -> None:
    async with scene() as (pilot, _):
        await seen(pilot)
        assert not await answer(pilot, "f12")


@pytest.mark.parametrize("digit", [row[0] for row in ROWS])
async def test_each_key_that_a_view_has_answers(digit: str) -> None:
    """On a clock that stands: nothing but the key changes the screen."""
    async with scene() as (pilot, _):
        app = app_of(pilot)
        name = VIEWS[int(digit) - 1]
        for _, pressed, _ in (key for key in KEYS if key[0] == digit):
            await pilot.press(digit)
            await soon(lambda: name == app.view.NAME, f"the view {name}")
            await seen(pilot)
            assert await answer(pilot, pressed), f"{pressed} in {name}:\n{screen_text(pilot)}"
            while len(app.screen_stack) > 1:
                await pilot.press("escape")
                await pilot.pause()
            await pilot.press("escape")
