"""The real console over the pretend cluster, with a clock that moves only when told to."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from textual.pilot import Pilot

from sparkconsole.clock import Clock
from sparkconsole.config.globals import Options
from sparkconsole.config.settings import Settings
from sparkconsole.demo.clock import SCRIPT_SPEED, DemoClock
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.task import TaskState
from tests.still_clock import StillClock

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = ((80, 24), (160, 48))
SCENES = ("idle", "built", "copied", "launched", "serving", "measured")
STORY = ("image build", "image copy --to all", "launch", "serve openai/gpt-oss-120b --max-model-len 32768",
         "bench run --num-prompts 64 --max-concurrency 8")  # fmt: skip


@asynccontextmanager
async def console(
    *,
    nodes: int = 2,
    size: tuple[int, int] = (80, 24),
    settings: Settings | None = None,
    time: Clock | None = None,
    **options: Any,
) -> AsyncIterator[Pilot[Any]]:
    """The console on `nodes` pretend Sparks; it samples when `seen` is called.

    `time`: a StillClock for screens that are compared; without one a script's, so that nobody waits long.
    """
    app = Console(Options(demo=nodes, **options), settings, time=time or DemoClock(SCRIPT_SPEED), still=True)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield pilot


@asynccontextmanager
async def scene(
    name: str = "idle", *, nodes: int = 2, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], StillClock]]:
    """A console whose every screen is the same each time: `idle`, `launched`, `serving` or `measured`.

    It got there by the verbs themselves; time stands still but for `advance`.
    """
    clock = StillClock()
    async with console(nodes=nodes, size=size, time=clock, **options) as pilot:
        await play(pilot, clock, name)
        yield pilot, clock


async def play(pilot: Pilot[Any], clock: StillClock, name: str) -> None:
    """Goes from the idle cluster to that scene."""
    await pilot.pause()
    await soon(app_of(pilot).opened.is_set, "the session is open")
    await clock.advance(3)
    for line in STORY[: SCENES.index(name)]:
        await say(pilot, clock, line)
    await clock.advance(5)
    await seen(pilot)


async def say(pilot: Pilot[Any], clock: StillClock, line: str, most_s: float = 300) -> None:
    """Says a line, agrees to its plan, and lets time pass until the work is over."""
    app = app_of(pilot)
    work = app.work
    assert work is not None
    before = len(work.tasks)
    assert app.command(line) == ""
    for _ in range(int(most_s)):
        await clock.advance(1)
        await pilot.pause()
        if isinstance(app.screen, Confirm):
            app.screen.dismiss(True)
        if len(work.tasks) > before and not work.tasks[-1].running:
            break
    else:
        raise AssertionError(f"{line} never ended:\n{screen_text(pilot)}")
    assert work.tasks[-1].state is TaskState.DONE, work.tasks[-1].error
    app.clear_notifications()
    await pilot.pause()


def app_of(pilot: Pilot[Any]) -> Console:
    """The app, as what it is."""
    return cast("Console", pilot.app)


async def seen(pilot: Pilot[Any], until: Callable[[str], bool] = lambda _: True, tries: int = 400) -> str:
    """The screen as text after a sample, once it says what is waited for; the last one when it never does."""
    text = ""
    for _ in range(tries):
        view = app_of(pilot).view
        if app_of(pilot).screen is view:
            view.refresh_now()
        await pilot.pause()
        text = screen_text(pilot)
        if until(text):
            return text
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never came:\n{text}")


def screen_text(pilot: Pilot[Any]) -> str:
    """What stands on the screen, without trailing blanks."""
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


def same_as_snapshot(name: str, text: str) -> None:
    """`text` is what tests/tui/snapshots/NAME.txt has; SPARKCONSOLE_SNAPSHOTS=update writes it."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("SPARKCONSOLE_SNAPSHOTS") == "update":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert path.exists(), f"no snapshot {name} yet: SPARKCONSOLE_SNAPSHOTS=update makes it; then read it"
    assert text + "\n" == path.read_text(encoding="utf-8")


async def soon(true: Callable[[], object], what: str, tries: int = 1000) -> None:
    """Waits until something is so."""
    for _ in range(tries):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"never: {what}")
