"""Plans begin with what ends: the server, its requests, work under way; and how long it takes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.errors import SparkError
from sparkconsole.model.work.plan import plan_lines
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.verbs.grammar.registry import load
from tests.still_clock import StillClock
from tests.tui.harness import app_of, say, scene, screen_text


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
            assert plan_lines(await asked)[0] == first, "before everything else"
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


BUSY = ("image build --tag third", "image copy other --to spark-02", "bench run --num-prompts 400")
"""Under way beside the server."""
SERVER, BENCH = "ends the server openai/gpt-oss-120b on port 8888: ", "ends bench run under way: "
BUILD, COPY = (
    "ends image build under way: Build third on spark-01",
    "ends image copy under way: Copy other from",
)
NOTHING = "ends no server and no work under way"
SAID: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {
    ("node", "trust"): ("node trust spark-02", ()),
    ("node", "add"): ("node add spark-09 10.77.0.99", ()),
    ("node", "remove"): ("node remove spark-02", ()),
    ("node", "exec"): ("node exec -- true", ("what it ends is not known before: ",)),
    ("launch",): ("launch --name another --solo", (NOTHING,)),
    ("node", "restart"): ("node restart spark-02", (SERVER, BENCH)),
    ("node", "reboot"): ("node reboot spark-02", (SERVER, BENCH, COPY)),
    ("node", "drop-caches"): ("node drop-caches", (NOTHING,)),
    ("image", "build"): ("image build --tag fourth", (NOTHING,)),
    ("image", "copy"): ("image copy other --to spark-02", (NOTHING,)),
    ("image", "rollback"): ("image rollback vllm-node", ()),
    ("image", "prune"): ("image prune --keep 0", (NOTHING,)),
    ("model", "copy"): ("model copy Qwen/Qwen3-0.6B --to spark-02", ()),
    ("model", "download"): ("model download Qwen/Qwen3-0.6B", (NOTHING,)),
    ("stop",): ("stop", (SERVER, BENCH)),
    ("serve",): ("serve Qwen/Qwen3-0.6B --port 8890 --force", (NOTHING,)),
    ("serve", "stop"): ("serve stop", (SERVER, BENCH)),
    ("serve", "keep"): ("serve keep", ("what it ends is not known before: ",)),
    ("runs", "again"): ("runs again {run}", ()),
    ("runs", "stop"): ("runs stop {run}", (BUILD,)),
}
"""A line for every verb that changes something, and how the plan's first lines begin on the busy cluster."""


def test_every_verb_that_changes_something_has_a_line_here() -> None:
    assert {words for words, verb in load().items() if verb.changes} == set(SAID)


async def test_every_plan_on_a_busy_cluster_begins_with_what_it_ends() -> None:
    wrong: list[str] = []
    async with scene("serving") as (pilot, clock):
        work = app_of(pilot).work
        assert work is not None
        await say(pilot, clock, "image build --tag other")
        for line in BUSY:
            assert app_of(pilot).command(f"{line} --yes") == ""
            await clock.advance(2)
        build = work.find("image", "build")
        assert build is not None
        for line, begins in SAID.values():
            told = await planned(pilot, clock, line.format(run=build.run_id))
            if told is None:
                wrong += [f"{line}: no plan"] * bool(begins)
                continue
            wrong += [f"{line}: {said}" for said, begin in zip(told, begins, strict=False)
                      if not said.startswith(begin)]  # fmt: skip
            if not told[0].startswith(("ends ", "what it ends ")):
                wrong.append(f"{line} begins with {told[0]}")
        assert all(t.running for t in work.tasks[-3:]), "the cluster was busy all the while"
    assert wrong == []


async def planned(pilot: Pilot[Any], clock: StillClock, line: str) -> list[str] | None:
    """The plan's lines; None where there is nothing to do."""
    work = app_of(pilot).work
    assert work is not None
    asked = asyncio.create_task(work.plan(line.split()))
    for _ in range(100):
        await clock.advance(0.01)
        if asked.done():
            break
    with suppress(SparkError):
        return plan_lines(await asked)
    return None


async def test_a_copy_says_how_many_bytes_before_its_commands() -> None:
    async with scene("built") as (pilot, clock):
        told = await planned(pilot, clock, "image copy --to all")
        assert told is not None
        assert told[0] == NOTHING
        assert told[2] == "moves about 19.2 GB of the image to spark-02"
        assert not any(line.strip().startswith("$") for line in told[:4])
        app_of(pilot).command("image copy --to all")
        for _ in range(60):
            await clock.advance(0.5)
            await pilot.pause()
            if isinstance(app_of(pilot).screen, Confirm):
                break
        assert "$ " not in screen_text(pilot), "commands are folded"
        assert "moves about 19.2 GB" in screen_text(pilot)
        await pilot.press("e")
        await pilot.pause()
        assert "$ " in screen_text(pilot)
