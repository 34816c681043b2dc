"""Secrets that were said in the console stand nowhere on its screen or pictures, nor in what is copied."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.errors import SparkError
from sparkconsole.model.work.answer import Row
from sparkconsole.model.work.news import Output, Remark
from sparkconsole.tui.line.history import keep_in_history, load_history
from sparkconsole.tui.work import _stream
from tests.tui.harness import app_of, console, screen_text, soon

LINE = (
    'node exec -- curl -H "Authorization: Bearer Planted1" --api_key Planted2'
    ' "https://me:Planted3@host/?token=Planted4" -e MY_TOKEN=Planted5'
)
KEY = ("-----BEGIN PRIVATE KEY-----", "Planted6" * 8, "Planted7==", "-----END PRIVATE KEY-----")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_TOKEN", "Planted8 of words")


async def _look(pilot: Pilot[Any], seen: list[str]) -> None:
    """What stands there now, as text and as a picture, what toasts say, and what was copied."""
    await pilot.pause()
    app = app_of(pilot)
    toasts = [str(told.message) for told in app._notifications]
    seen.append("\n".join((screen_text(pilot), app.export_screenshot(), app.clipboard, *toasts)))


async def test_what_was_planted_is_on_no_screen(tmp_path: Path) -> None:
    seen: list[str] = []
    async with console(size=(160, 48)) as pilot:
        app = app_of(pilot)
        await soon(app.opened.is_set, "the session is open")
        assert app.work is not None
        asked = app.run_worker(app.work.say(("--dry-run", *_words()), shown=True))
        await soon(lambda: "curl" in screen_text(pilot), "the plan stands")
        await _look(pilot, seen)
        await pilot.press("e")
        await soon(lambda: "***" in screen_text(pilot), "its commands stand")
        await _look(pilot, seen)
        await pilot.press("y")
        await _look(pilot, seen)
        await pilot.press("escape")
        await asked.wait()
        assert app.command(LINE) == ""
        await soon(lambda: app.work and app.work.tasks and not app.work.tasks[-1].running, "it ended")
        task = app.work.tasks[-1]
        task.hear(Output("spark-01", "done with Planted5 and Planted8 of words"))
        await _stream(_rows(), task)
        task.hear(Remark("refused: password=Planted9", "spark-01", "error"))
        app.show_task(task)
        await _look(pilot, seen)
        await pilot.press("y")
        await _look(pilot, seen)
        await pilot.press("escape")
        app.show_error(SparkError("`x --api-key Planted2` ended", hint="see https://me:Planted3@host"))
        for view in "158":
            await pilot.press(view)
            await _look(pilot, seen)
        await pilot.press("enter")
        await _look(pilot, seen)
        keep_in_history(LINE)
        assert "***" in "".join(load_history())
    assert [text[text.index("Planted") - 60 :][:100] for text in seen if "Planted" in text] == []
    assert _kept(tmp_path) == []


async def _rows() -> AsyncIterator[Row]:
    for line in KEY:
        yield Row({"stream": "stdout"}, line)


def _kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"Planted" in path.read_bytes()]


def _words() -> tuple[str, ...]:
    return tuple(shlex.split(LINE))
