"""The pictures that the README shows: the console over the pretend cluster, the same on every day.

`pytest tests/shots --snapshot-update` makes them anew; then look at them.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.config.globals import Options
from sparkconsole.tui.app import Console
from tests.conftest import ROOT
from tests.still_clock import StillClock
from tests.tui.harness import play, seen

pytestmark = pytest.mark.shots
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Shot:
    """What is on a picture."""

    nodes: int = 2
    size: tuple[int, int] = (120, 36)
    scene: str = "measured"
    keys: tuple[str, ...] = ()
    line: str = ""
    theme: str | None = None


SHOTS = {
    "cluster": Shot(),
    "cluster-80x24": Shot(size=(80, 24)),
    "cluster-64": Shot(nodes=64, scene="idle"),
    "cluster-light": Shot(theme="spark-light"),
    "node": Shot(keys=("enter",)),
    "logs": Shot(keys=("2",)),
    "images": Shot(keys=("3",)),
    "launch": Shot(scene="launched", keys=("4",)),
    "serve": Shot(keys=("5",)),
    "bench": Shot(keys=("6",)),
    "doctor": Shot(keys=("7",)),
    "runs": Shot(keys=("8",)),
    "confirm": Shot(line="node restart spark-02"),
}


@pytest.fixture(autouse=True)
def _everywhere_alike(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The same home, time zone and names of runs."""
    counted = itertools.count(1)
    monkeypatch.setattr("secrets.token_hex", lambda size=2: f"{next(counted):0{2 * size}x}")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("name", list(SHOTS))
def test_the_picture_is_what_the_console_shows(name: str, snap_compare: Callable[..., bool]) -> None:
    shot = SHOTS[name]
    clock = StillClock()
    app = Console(Options(demo=shot.nodes, theme=shot.theme), time=clock, still=True)

    async def before(pilot: Pilot[Any]) -> None:
        await play(pilot, clock, shot.scene)
        await pilot.press(*shot.keys)
        if shot.line:
            app.command(shot.line)
            await pilot.pause()  # it begins to ask the nodes now, whatever time does afterwards
        await clock.advance(2)
        await pilot.pause()
        await clock.advance(1)
        app.clear_notifications()
        await seen(pilot)
        await pilot.pause()

    assert snap_compare(app, terminal_size=shot.size, run_before=before)


def test_every_published_picture_is_one_of_these_and_the_first_is_in_the_readme() -> None:
    assert {path.stem for path in (ROOT / "screenshots").glob("*.svg")} == set(SHOTS)
    assert "screenshots/cluster.svg" in README
