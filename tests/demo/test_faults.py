"""Faults of the pretend cluster reach the console as real ones would: cards, events, reasons, and back."""

from __future__ import annotations

import pytest

from sparkconsole import cli
from sparkconsole.demo.clock import StillClock
from sparkconsole.demo.faults import KINDS
from sparkconsole.fleet.store import Reach
from tests.tui.harness import app_of, scene, screen_text, seen


async def said(pilot: object, clock: StillClock, line: str, seconds: float = 20) -> list[str]:
    app = app_of(pilot)  # type: ignore[arg-type]
    known = len(app.store.events)
    assert app.command(line) == ""
    await clock.advance(seconds)
    if app.screen is not app.view:
        app.pop_screen()
    await clock.advance(1)
    return [f"{e.source} {e.text}" for e in list(app.store.events)[known:]]


async def test_a_power_cut_is_lost_with_a_reason_and_comes_back() -> None:
    async with scene("launched") as (pilot, clock):
        app = app_of(pilot)
        await said(pilot, clock, "demo fault spark-02 lost")
        lost = app.store.nodes["spark-02"]
        assert lost.reach is Reach.LOST
        assert lost.reason
        assert lost.reading is not None, "the last values stay"
        assert "✖ spark-02" in await seen(pilot)
        await said(pilot, clock, "demo clear spark-02", 90)
        assert app.store.nodes["spark-02"].reach is Reach.UP
        (ended,) = app.store.nodes["spark-02"].containers or ()
        assert (ended.running, ended.exit_code) == (False, 255), "nothing starts by itself"


async def test_an_unknown_key_is_shown_with_its_fingerprint() -> None:
    async with scene() as (pilot, clock):
        await said(pilot, clock, "demo fault spark-02 key")
        assert app_of(pilot).store.nodes["spark-02"].fingerprint.startswith("SHA256:")
        assert "SHA256:" in await seen(pilot)


async def test_garbage_is_told_and_the_console_goes_on() -> None:
    async with scene() as (pilot, clock):
        events = await said(pilot, clock, "demo fault spark-02 garbage")
        assert any("spark-02" in event for event in events)
        assert "spark-01" in await seen(pilot)


@pytest.mark.parametrize(("kind", "word"), [("link-down", "link"), ("oom", "container"), ("gpu-gone", "GPU")])
async def test_what_happens_to_a_node_becomes_an_event(kind: str, word: str) -> None:
    async with scene("launched") as (pilot, clock):
        events = await said(pilot, clock, f"demo fault spark-02 {kind}")
        assert any(word in event and "spark-02" in event for event in events), events


async def test_every_fault_can_be_had_and_mended_without_harm() -> None:
    async with scene("launched") as (pilot, clock):
        for kind in KINDS:
            await said(pilot, clock, f"demo fault spark-02 {kind}", 8)
            await said(pilot, clock, "demo clear spark-02", 10)
            await pilot.press("r")
            await clock.advance(30)
        assert app_of(pilot).store.nodes["spark-02"].reach is Reach.UP
        assert "DEMO" in screen_text(pilot)


def test_a_fault_that_there_is_not_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--demo", "demo", "fault", "spark-02", "gremlins"]) == 2
    assert "link-down" in capsys.readouterr().err


def test_a_real_cluster_is_never_broken_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert cli.run(["demo", "fault", "spark-02", "lost"]) == 4
    assert "pretend" in capsys.readouterr().err
