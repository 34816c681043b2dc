"""Pretend servers that hang, machines that freeze, memory that runs out: the watch sees all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.fleet.store import ServerPhase, Store
from sparkconsole.fleet.watch import hang as watch_hang
from tests.still_clock import StillClock
from tests.tui.harness import app_of, say, scene, seen


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_hang, "LATE_S", 0.4)  # a wait of the real clock, which here nobody moves


async def comes(
    pilot: Pilot[Any], clock: StillClock, true: Callable[[Store], object], most_s: int = 200
) -> Store:
    """Moves time until the store says so."""
    store = app_of(pilot).store
    for _ in range(most_s // 2):
        if true(store):
            return store
        await clock.advance(2)
        await asyncio.sleep(0.02)
    raise AssertionError(f"never: {store.server} {[e.text for e in store.events]}")


async def fault(pilot: Pilot[Any], clock: StillClock, words: str) -> None:
    app = app_of(pilot)
    assert app.command(words) == ""
    await clock.advance(1)
    if app.screen is not app.view:
        app.pop_screen()


async def test_a_rank_that_stands_still_is_named_and_goes_on() -> None:
    async with scene("serving") as (pilot, clock):
        await comes(pilot, clock, lambda s: s.server.generated_per_s)
        await fault(pilot, clock, "demo fault spark-02 hang")
        store = await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.WEDGED)
        assert store.server.suspect == "spark-02"
        assert "spark-02: its GPU does nothing while spark-01 waits for it" in store.server.detail
        assert any(sign.startswith("spark-01: GPU 9") for sign in store.server.signs), store.server.signs
        assert "✖ stuck" in await seen(pilot)
        await fault(pilot, clock, "demo clear spark-02")
        await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.READY and s.server.generated_per_s)


async def test_a_machine_that_freezes_is_named() -> None:
    async with scene("serving") as (pilot, clock):
        await comes(pilot, clock, lambda s: s.server.generated_per_s)
        await fault(pilot, clock, "demo fault spark-02 freeze")
        store = await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.WEDGED)
        assert store.server.suspect == "spark-02"
        assert "spark-02: the machine is silent for" in store.server.detail
        await comes(pilot, clock, lambda s: any("is it out of memory?" in e.text for e in s.events))
        await fault(pilot, clock, "demo clear spark-02")
        await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.READY)


@pytest.mark.parametrize("kind", ["engine-dead", "oom", "ray-dead"])
async def test_five_seconds_after_a_rank_ended_nothing_calls_the_server_ready(kind: str) -> None:
    async with scene("serving") as (pilot, clock):
        await comes(pilot, clock, lambda s: s.server.generated_per_s)
        assert app_of(pilot).command(f"demo fault spark-02 {kind}") == ""
        await clock.advance(5)
        store = app_of(pilot).store
        assert store.server.phase in (ServerPhase.FAILED, ServerPhase.WEDGED)
        assert "died" in store.server.detail or "spark-02" in store.server.detail
        if app_of(pilot).screen is not app_of(pilot).view:
            app_of(pilot).pop_screen()
        screen = await seen(pilot)
        assert "● ready" not in screen
        assert "no problem" not in screen
        await clock.advance(30)
        assert store.server.phase is not ServerPhase.READY


async def test_memory_that_runs_out_is_told_before_the_machine_freezes() -> None:
    async with scene("serving") as (pilot, clock):
        await fault(pilot, clock, "demo fault spark-02 memory")
        store = await comes(pilot, clock, lambda s: s.nodes["spark-02"].memory_alarm)
        assert "at this rate it freezes in" in store.nodes["spark-02"].memory_alarm
        assert "memory nearly full" in await seen(pilot)
        store = await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.WEDGED)
        assert store.server.suspect == "spark-02"
        told = [e.text for e in store.events if e.source == "spark-02"]
        assert any("below the freeze line" in text for text in told)


async def test_a_guard_ends_the_server_before_its_machine_freezes() -> None:
    async with scene("launched") as (pilot, clock):
        await say(pilot, clock, "serve openai/gpt-oss-120b --guard")
        await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.READY)
        await fault(pilot, clock, "demo fault spark-02 memory")
        store = await comes(pilot, clock, lambda s: s.server.phase is ServerPhase.FAILED)
        assert store.server.suspect == "spark-02"
        assert "spark-02: sparkconsole guard: MemAvailable is" in store.server.detail
        await comes(pilot, clock, lambda s: not s.nodes["spark-02"].memory_alarm)
