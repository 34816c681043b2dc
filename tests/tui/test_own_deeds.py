"""What a word of our own ends is told as that word's doing, by whom and when: no crash, no failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.fleet.store import Reachability, ServerPhase
from sparkconsole.model.work.job import RunState
from sparkconsole.tui.task import TaskState
from tests.still_clock import StillClock
from tests.tui.harness import app_of, say, scene, seen


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


async def begun(pilot: Pilot[Any], clock: StillClock, line: str, seconds: float = 3) -> None:
    """Said and agreed to, and some time passed."""
    assert app_of(pilot).command(line) == ""
    for _ in range(int(seconds * 2)):
        await clock.advance(0.5)
        await pilot.pause()


def alarms(pilot: Pilot[Any]) -> list[str]:
    """What was told as a warning or an error."""
    return [e.text for e in app_of(pilot).store.events if e.level in ("warning", "error")]


@pytest.mark.parametrize(
    "line",
    ["node restart spark-02", "stop", "serve stop", "node reboot spark-02 --yes=reboot"],
    ids=lambda line: line.split(" --")[0],
)
async def test_a_server_that_our_own_word_ended_has_not_failed(line: str) -> None:
    async with scene("serving") as (pilot, clock):
        await begun(pilot, clock, line if "--yes" in line else f"{line} --yes", 25)
        store, word = app_of(pilot).store, line.partition(" --")[0]
        assert store.server.phase is ServerPhase.NONE
        assert store.server.detail.startswith(f"ended by {word}")
        assert ", by you at 12:0" in store.server.detail
        assert alarms(pilot) == []
        assert f"nothing is served: ended by {word}" in (await seen(pilot)).replace("\n", " ")
        assert any(
            e.text.startswith(f"openai/gpt-oss-120b is no longer served: {word}") for e in store.events
        )


async def test_a_machine_that_we_reboot_is_down_on_purpose() -> None:
    async with scene("serving") as (pilot, clock):
        await begun(pilot, clock, "node reboot spark-02 --yes=reboot", 10)
        state = app_of(pilot).store.nodes["spark-02"]
        assert state.reach is Reachability.LOST
        assert state.own_action.startswith("node reboot spark-02, by you at 12:0")
        screen = await seen(pilot)
        assert "down on purpose" in screen
        assert "✖ spark-02 lost" not in screen


async def test_what_fails_by_itself_is_still_a_failure() -> None:
    async with scene("serving") as (pilot, clock):
        await begun(pilot, clock, "image build --tag other --yes", 5)
        await begun(pilot, clock, "demo fault spark-02 oom", 5)
        assert app_of(pilot).store.server.phase in (ServerPhase.FAILED, ServerPhase.WEDGED)
        assert "by you" not in app_of(pilot).store.server.detail
        assert alarms(pilot)


@pytest.mark.parametrize(
    ("work", "ends"),
    [
        ("image build --tag other", "runs stop {run}"),
        ("image copy other --to spark-02", "runs stop {run}"),
        ("bench run --num-prompts 400", "runs stop {run}"),
        ("bench run --num-prompts 400", "stop"),
        ("image copy other --to spark-02", "node reboot spark-02 --yes=reboot"),
    ],
)
async def test_work_that_our_own_word_ends_is_stopped_and_not_failed(work: str, ends: str) -> None:
    async with scene("serving") as (pilot, clock):
        if "copy" in work:
            await say(pilot, clock, "image build --tag other")
        await begun(pilot, clock, f"{work} --yes")
        under_way = app_of(pilot).work
        assert under_way is not None
        task = under_way.find(*work.split()[:2])
        assert task is not None
        assert task.running
        line = ends.format(run=task.run_id)
        await begun(pilot, clock, line if "--yes" in line else f"{line} --yes", 60)
        assert task.state is TaskState.CANCELLED, (task.state, task.error)
        assert task.session is not None
        run = task.session.journal.read(task.run_id)
        assert run.state is RunState.CANCELLED
        assert run.ended_by["words"] == line.partition(" --")[0].split()
        assert alarms(pilot) == []
        told = [e.text for e in app_of(pilot).store.events if e.source == work.split(maxsplit=1)[0]]
        assert any(": stopped (" in text and ", by you at " in text for text in told), told
        assert not any("failed" in line.text for line in task.output)


async def test_what_could_not_be_written_down_is_said_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deed goes on without its record, and the screen says so: the journal's disk filled up meanwhile."""
    async with scene("serving") as (pilot, clock):
        why = "the record cannot be written: no space left"
        monkeypatch.setattr("sparkconsole.fleet.journal.journal.Journal.fault", lambda _: why)
        await begun(pilot, clock, "serve stop --yes", 10)
        [said] = [e.text for e in app_of(pilot).store.events if e.level == "warning"]
        assert said.endswith(f": done; {why}; continuing without a record")
