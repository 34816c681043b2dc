"""Keys that arrive together: each meets the screen that the one before it left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key, MouseMove, Paste
from textual.pilot import Pilot

from sparkconsole.tui import keystrokes
from sparkconsole.tui.dialogs.answer import AnswerSheet
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.dialogs.help import Help
from sparkconsole.tui.line.prompt import CommandInput
from tests.tui.harness import app_of, console, screen_text, seen, soon

NAMED = {
    ":": "colon",
    "/": "slash",
    "\n": "enter",
    "\x1b": "escape",
    " ": "space",
    "-": "minus",
    "?": "question_mark",
}


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def burst(pilot: Pilot[Any], text: str) -> None:
    """All of it at once, as a terminal gives what it read; `\\n` is enter, `\\x1b` esc."""
    for character in text:
        typed = "\r" if character == "\n" else character
        pilot.app.post_message(Key(NAMED.get(character, character), typed))


def said(pilot: Pilot[Any]) -> list[str]:
    return app_of(pilot).command_lines


def typed(pilot: Pilot[Any]) -> str:
    """What stands in the line that is open."""
    line = app_of(pilot).line
    return line.query_one(CommandInput).value if line is not None else ""


@pytest.mark.parametrize("before", ["", "5", "2", "j", "\x1b", "8?"])
async def test_a_line_arrives_whole_wherever_it_was_begun(before: str) -> None:
    async with console() as pilot:
        burst(pilot, f"{before}:demo faults\n")
        await soon(lambda: said(pilot) == ["demo faults"], "the line was said")
        await soon(lambda: isinstance(app_of(pilot).screen, AnswerSheet), "its answer stands there")


async def test_capitals_in_a_line_open_nothing_and_many_lines_of_one_burst_are_all_said() -> None:
    lines = [
        *(f"theme spark-{name}" for name in ("light", "mono", "dark")),
        "demo fault LUDRBC lost",
        "demo faults",
    ]
    async with console() as pilot:
        burst(pilot, "".join(f":{line}\n" for line in lines))
        await soon(lambda: len(said(pilot)) == len(lines), f"all of {lines} in {said(pilot)}")
        assert said(pilot) == lines
        assert not isinstance(app_of(pilot).screen, Confirm)


async def test_what_was_typed_before_the_first_frame_is_kept() -> None:
    async with console() as pilot:
        burst(pilot, ":demo faults\n")  # the session may still be opening
        await soon(lambda: said(pilot) == ["demo faults"], "the line was said")


async def test_a_line_behind_a_refused_one_does_not_grow_onto_it() -> None:
    async with console() as pilot:
        burst(pilot, ":lanch\n:demo faults\n")
        await soon(lambda: said(pilot) == ["demo faults"], "the second line was said")


async def test_esc_in_a_burst_leaves_the_line_and_the_next_one_is_whole() -> None:
    async with console() as pilot:
        burst(pilot, ":launch\x1b:demo faults\n")
        await soon(lambda: said(pilot) == ["demo faults"], "the second line was said")
        assert not isinstance(app_of(pilot).screen, Confirm), "the first one was left"


GLUED = {
    "alt": (("alt+colon", ":"),),
    "caret": (("circumflex_accent", "^"), ("colon", ":")),
    "digit": (("pound_sign", "£"), ("colon", ":")),
}
"""What Textual makes of `esc :` and `esc 3 :` in one read."""


@pytest.mark.parametrize("keys", GLUED.values(), ids=GLUED)
async def test_esc_that_the_terminal_glued_to_the_next_key_still_begins_a_new_line(
    keys: tuple[tuple[str, str], ...],
) -> None:
    async with console() as pilot:
        burst(pilot, ":lau")
        for key, character in keys:
            pilot.app.post_message(Key(key, character))
        burst(pilot, "stop")
        await soon(lambda: typed(pilot) == "stop", "a new line")


BREATHS = {
    "\x1b\r": ["escape", "enter"],
    "\x1b\n": ["escape", "ctrl+j"],
    "\x1b:x\r": ["escape", "colon", "x", "enter"],
    "\x1b/x": ["escape", "slash", "x"],
    "\x1bq\x1b": ["escape", "q", "escape"],
    "\x1b\x1b\r": ["escape", "escape", "enter"],
    "\x1bR": ["escape", "R"],
    "\x1b2": ["escape", "2"],
    "\x1b": ["escape"],
    "\x1b[A": ["up"],
    "^": ["circumflex_accent"],
}
"""What a terminal sends in one breath, and the keys that were pressed."""


def pressed(sent: str) -> list[Key]:
    """As the driver reads it, and nothing comes behind it."""
    keystrokes.keep_every_escape()
    parser = XTermParser()
    read = [*parser.feed(sent), *parser.feed("")]
    return [key for event in read if isinstance(event, Key) for key in keystrokes._apart(event)]  # type: ignore[misc]


@pytest.mark.parametrize(("sent", "keys"), BREATHS.items(), ids=map(repr, BREATHS))
def test_no_esc_is_lost_that_other_keys_follow_at_once(sent: str, keys: list[str]) -> None:
    assert [key.key for key in pressed(sent)] == keys


async def test_esc_in_one_breath_with_the_key_that_agrees_refuses() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await soon(app.opened.is_set, "the session is open")
        burst(pilot, ":image build\n")
        await soon(lambda: isinstance(app.screen, Confirm) and app.screen._painted, "a question")
        for key in pressed("\x1b\n"):
            pilot.app.post_message(key)
        await soon(lambda: app.screen is app.view, "it is gone")
        burst(pilot, ":demo faults\n")
        await soon(lambda: "demo faults" in said(pilot), "what was typed behind it was handled")
        assert app.work is not None
        assert not app.work.tasks


async def test_a_filter_arrives_whole_also_behind_a_digit() -> None:
    async with console() as pilot:
        burst(pilot, "7/Lsdisk")
        await soon(lambda: app_of(pilot).view.NAME == "doctor", "the view")
        await pilot.pause()
        assert typed(pilot) == "Lsdisk"


async def test_where_there_is_nothing_to_filter_the_line_says_so_and_keeps_what_is_typed() -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        await seen(pilot, lambda t: "● spark-01" in t or "! spark-01" in t)
        burst(pilot, "\n/LsDx")
        await soon(lambda: typed(pilot) == "LsDx", "the line has all of it")
        assert app_of(pilot).view.NAME == "node"
        await seen(pilot, lambda t: "there is no list to filter here" in t)
        burst(pilot, "\x1b\x1b/sp")
        await soon(lambda: typed(pilot) == "sp" and app_of(pilot).view.NAME == "cluster", "the list of nodes")
        await seen(pilot, lambda t: "there is no list" not in t)


async def test_a_line_typed_while_a_question_opens_goes_above_it_and_answers_nothing() -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        burst(pilot, ":image build\n")
        await soon(lambda: isinstance(app_of(pilot).screen, Confirm), "a question")
        burst(pilot, ":demo faults\n")
        await soon(lambda: "demo faults" in said(pilot), "the line was said")
        await soon(lambda: isinstance(app_of(pilot).screen, AnswerSheet), "its answer")
        burst(pilot, "\x1b")
        await soon(lambda: isinstance(app_of(pilot).screen, Confirm), "the question still stands")
        assert app_of(pilot).work is not None
        assert not app_of(pilot).work.tasks


async def test_an_answer_waits_until_the_line_that_is_typed_is_over() -> None:
    async with console() as pilot:
        await soon(app_of(pilot).opened.is_set, "the session is open")
        burst(pilot, ":status\n:demo fau")
        await soon(lambda: bool(app_of(pilot)._later), "the answer is there")
        burst(pilot, "lts\n")
        await soon(lambda: said(pilot) == ["status", "demo faults"], "both were said whole")
        await soon(lambda: "demo faults" in screen_text(pilot), "the newest answer")
        burst(pilot, "\x1b")
        await soon(lambda: len(app_of(pilot).screen_stack) == 1, "one esc closes all answers")


async def test_keys_behind_a_key_that_opens_something_meet_what_it_opened() -> None:
    async with console() as pilot:
        burst(pilot, "?\x1b?")
        await soon(lambda: isinstance(app_of(pilot).screen, Help), "help, left, help")
        burst(pilot, "\x1b3")
        await seen(pilot, lambda t: "[3 Images]" in t)


@pytest.mark.parametrize("text", [":launch\nstop\n", ":node list\n"])
async def test_a_pasted_line_is_shown_and_not_run(text: str) -> None:
    async with console() as pilot:
        pilot.app.post_message(Paste(text))
        await soon(lambda: app_of(pilot).line is not None, "the line is open")
        assert typed(pilot) == text[1:].splitlines()[0]
        assert said(pilot) == []


async def test_lines_pasted_into_the_line_are_not_run_and_that_is_said() -> None:
    async with console() as pilot:
        burst(pilot, ":")
        pilot.app.post_message(Paste("launch\nstop\n"))
        await seen(pilot, lambda t: "took only the first of 2" in t)
        assert typed(pilot) == "launch"
        assert said(pilot) == []


LATE = {
    "key": Key("enter", "\r"),
    "paste": Paste("status"),
    "mouse": MouseMove(None, 3, 3, 1, 0, 0, False, False, False),
}


@pytest.mark.parametrize("name", LATE)
async def test_what_reaches_a_console_without_screens_does_nothing(name: str) -> None:
    async with console() as pilot:
        app = app_of(pilot)
        await seen(pilot)
    late = LATE[name]
    if name != "mouse":
        late._set_forwarded()
    await app.on_event(late)
    assert not app.screen_stack
