"""The command line's history: private, bounded, without secrets, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.tui.app import Console
from sparkconsole.tui.line.history import MOST, history_file, keep_in_history, load_history, remembered
from tests.config.test_locked import holder
from tests.tui.harness import seen


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_line_is_kept_once_and_only_so_many() -> None:
    said: list[str] = []
    for n in range(MOST + 10):
        said = remembered(said, f"status {n}")
    assert len(remembered(said, "status 50")) == MOST
    assert remembered(["a", "b"], "a") == ["b", "a"]


def test_what_is_kept_is_private_and_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_verysecretvalue123")
    for line in ("exec -- env HF_TOKEN=hf_verysecretvalue123 ls", "status", "an 'open quote"):
        keep_in_history(line)
    text = history_file().read_text()
    assert "verysecret" not in text
    assert "status" in text
    assert history_file().stat().st_mode & 0o777 == 0o600
    assert load_history()[1] == "status"


def test_two_consoles_keep_the_lines_of_both() -> None:
    for line in ("status", "check", "status"):
        keep_in_history(line)
    assert load_history() == ["check", "status"]


def test_a_console_that_hangs_with_the_lock_costs_the_line_and_no_time() -> None:
    keep_in_history("status")
    with holder(history_file()) as other:
        keep_in_history("check")
        other.kill()
    assert load_history() == ["status"]


def test_no_file_is_no_history() -> None:
    assert load_history() == []


async def test_what_was_said_in_one_session_is_there_in_the_next() -> None:
    for line, before in (("node list", []), ("config path", ["node list"])):
        app = Console(Options(), still=True)
        async with app.run_test(size=(80, 24)) as pilot:
            await seen(pilot, lambda t: "no nodes" in t)
            assert app.command_lines == before
            await pilot.press("colon", "up")
            assert (before or [""])[-1] in await seen(pilot)
            await pilot.press("escape")
            assert app.command(line) == ""
            await pilot.pause()


def test_the_options_of_every_verb_are_completed_in_a_line() -> None:
    from sparkconsole.tui.line.complete import Here, completions

    nodes = Here(("spark-01", "spark-02"))
    assert completions("stop --dry", (), nodes) == ("stop --dry-run",)
    assert completions("status --nodes spark-01", (), nodes) == ()
    assert completions("status --nodes s", (), nodes) == (
        "status --nodes spark-01",
        "status --nodes spark-02",
    )
    assert completions("stop --demo", (), nodes) == ()
    assert completions("exec -- ls --dry", (), nodes) == ()
