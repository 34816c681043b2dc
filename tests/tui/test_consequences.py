"""Plans begin with what ends: the server, its requests, work under way; and how long it takes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sparkconsole.model.plan import plan_lines
from sparkconsole.tui.dialogs.confirm import Confirm
from tests.tui.harness import app_of, scene, screen_text


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


ENDING = ("stop", "serve stop", "node restart spark-02", "node restart", "node reboot spark-01")


async def test_what_ends_a_server_says_so_first_with_its_requests() -> None:
    async with scene("serving") as (pilot, clock):
        work = app_of(pilot).work
        assert work is not None
        for line in ENDING:
            asked = asyncio.create_task(work.plan(line.split()))
            for _ in range(120):
                await clock.advance(0.5)
                if asked.done():
                    break
            told = (await asked).consequences
            assert told is not None, line
            first = told.lines()[0]
            assert first.startswith("ends the server openai/gpt-oss-120b on port 8888"), (line, first)
            assert "request" in first, line
            assert plan_lines(await asked)[1].strip() == first, "before notes and commands"
            assert (await asked).as_data()["consequences"]["ends"], line
        app_of(pilot).command("stop")
        for _ in range(60):
            await clock.advance(0.5)
            await pilot.pause()
            if isinstance(app_of(pilot).screen, Confirm):
                break
        await pilot.pause()
        assert "ends the server openai/gpt-oss-120b" in screen_text(pilot)


async def test_what_ends_nothing_says_so_and_how_long_it_took_before() -> None:
    async with scene("built") as (pilot, clock):
        work = app_of(pilot).work
        assert work is not None
        asked = asyncio.create_task(work.plan(("image", "build")))
        for _ in range(60):
            await clock.advance(0.5)
            if asked.done():
                break
        told = (await asked).consequences
        assert told is not None
        assert told.lines()[0] == "ends no server and no work under way"
        assert told.lines()[1].endswith("as in 1 earlier run")
