"""Whatever the footer or a frame offers happens when it is pressed, wherever the focus is.

Each view is walked in two scenes; of widgets that let the same keys through one is pressed, of each other
kind every one. What is not shown: that a terminal sends these keys (tests/field).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from sparkconsole.tui.chrome import KeyLine
from sparkconsole.tui.keyboard.focus import FIELD
from sparkconsole.tui.keyboard.keys import GLOBAL, VIEWS, Key
from sparkconsole.tui.line.prompt import Prompt
from sparkconsole.tui.view import View
from sparkconsole.tui.views.cluster.board import Board
from sparkconsole.tui.views.launch.pages import ProgressBoard
from sparkconsole.tui.views.launch.view import LaunchView
from sparkconsole.verbs.grammar.registry import load
from tests.still_clock import StillClock
from tests.tui.harness import app_of, scene, screen_text, seen

SCENES = {"idle": (160, 48), "serving": (80, 24)}
QUIET = {"back", "logs.end", "logs.home", "logs.mark", "logs.more", "logs.less", "node.next", "node.previous"}
"""They may find everything as it is to be: nothing to peel, the end already seen, no line yet, one node."""
PLACES = tuple(f"view.{name}" for name in VIEWS)


@pytest.fixture(autouse=True)
def own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration; what is saved here is saved nowhere else."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


class Watched:
    """A console whose actions are heard, and which does not leave when it is told to."""

    def __init__(self, pilot: Pilot[Any], clock: StillClock, home: View) -> None:
        self.pilot, self.clock, self.app, self.home = pilot, clock, app_of(pilot), home
        self.heard: list[str] = []
        self.left = 0
        panes: list[Widget] = [home, *home.query(".pane")] if not home.TAB else []
        self.classes = {pane: frozenset(pane.classes) for pane in panes}
        """What a key turns round is turned back before the next one."""
        run = self.app.run_action

        async def hear(action: Any, *args: Any, **kwargs: Any) -> bool:
            self.heard.append(str(action))
            return await run(action, *args, **kwargs)

        self.app.run_action = hear  # type: ignore[method-assign]
        self.app.exit = self._leave  # type: ignore[method-assign]

    def _leave(self, *_: object, **__: object) -> None:
        self.left += 1

    async def stand(self, at: int | None) -> None:
        """On the view, with the focus on that pane, and nothing above it."""
        app = self.app
        app.workers.cancel_group(app, "words")
        await self.pilot.pause()
        while app.screen is not self.home and len(app.screen_stack) > 1:
            app.pop_screen()
            await self.pilot.pause()
        if app.screen is not self.home:
            await app.switch_mode(self.home.TAB or self.home.NAME)
        if app.screen is not self.home:
            await open_page(self.pilot, self.home.NAME)
            self.home = app.view
        await self.clock.advance(1)
        app.clear_notifications()
        if isinstance(self.home, LaunchView):
            board = self.home.query_one(ProgressBoard)
            board.set_class(board.shown is not None, "-working")
        self.home.minimize()
        for pane, classes in self.classes.items():
            pane.set_classes(classes)
        self.home.query_one(Prompt).close()
        self.home.set_focus(None if at is None else self.home._panes[at])
        await self.pilot.pause()

    def state(self) -> tuple[object, ...]:
        """All that a person could notice."""
        app = self.app
        told = tuple(str(n.message) for n in app._notifications)
        tasks = len(app.work.tasks) if app.work else 0
        return screen_text(self.pilot), app.screen, app.focused, app.clipboard, told, self.left, tasks

    async def press(self, key: Key) -> tuple[bool, bool]:
        """Whether what the key says was done, and whether anybody could notice."""
        before = self.state()
        self.heard.clear()
        await self.pilot.press(key.keys.split(",")[0].strip())
        await self.pilot.pause()
        if self.app.screen is self.home:
            self.home.refresh_now()
            await self.pilot.pause()
        for _ in range(40 if key.verb in load() else 1):
            if self.state() != before:
                break
            await self.clock.advance(1)
            await self.pilot.pause(0.02)
        return any(key.action.split("(")[0] in action for action in self.heard), self.state() != before


@asynccontextmanager
async def opened(name: str, what: str) -> AsyncIterator[Watched]:
    async with scene(what, size=SCENES[what]) as (pilot, clock):
        app = app_of(pilot)
        await app.switch_mode({"node": "cluster", "run": "runs"}.get(name, name))
        await clock.advance(3)
        await seen(pilot)
        await open_page(pilot, name)
        yield Watched(pilot, clock, app.view)


async def open_page(pilot: Pilot[Any], name: str) -> None:
    """The page of a node or of a run, which stands above its view."""
    view = app_of(pilot).view
    if name == "node":
        view.query_one(Board).go_to("spark-02")
        view.action_node_open()  # type: ignore[attr-defined]
    elif name == "run":
        await seen(pilot, lambda text: "launch" in text)
        view.action_runs_show()  # type: ignore[attr-defined]
    await pilot.pause()
    await seen(pilot)


def kinds(view: View) -> list[int | None]:
    """One pane of each kind that lets other keys through than the rest; None: nothing has the focus."""
    found: dict[object, int | None] = {}
    for at in (None, *range(len(view._panes))):
        widget: Widget | None = None if at is None else view._panes[at]
        view.set_focus(widget)
        offered = view.keys_offered()
        found.setdefault((type(widget), tuple((k.id, k.keys) for k in offered)), at)
    return list(found.values())


WALKED = [(name, what) for name in (*VIEWS, "node") for what in SCENES] + [("run", "serving")]


@pytest.mark.parametrize(("name", "what"), WALKED)
async def test_every_key_that_a_view_offers_does_what_it_says(name: str, what: str) -> None:
    wrong: list[str] = []
    async with opened(name, what) as watched:
        for at in kinds(watched.home):
            await watched.stand(at)
            widget = watched.home.focused
            everywhere = () if widget is None else GLOBAL
            offered = [k for k in watched.home.keys_offered() if k.id not in PLACES and k not in everywhere]
            for key in offered:
                await watched.stand(at)
                done, noticed = await watched.press(key)
                own = key in FIELD or key in getattr(widget, "OFFERS", ()) or key.keys in ("enter", "space")
                if not ((done or own) and (noticed or key.id in QUIET)):
                    wrong.append(f"{widget}: {key.keys} {key.id} done={done} noticed={noticed}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("what", SCENES)
@pytest.mark.parametrize("name", VIEWS)
async def test_what_changes_the_cluster_has_a_place_in_a_narrow_footer(name: str, what: str) -> None:
    async with scene(what) as (pilot, _):
        app = app_of(pilot)
        await app.switch_mode(name)
        await seen(pilot)
        footer = str(app.view.query_one(KeyLine).render())
        for key in app.view.keys_offered():
            if key.changes and key.shown:
                assert key.label in footer, footer
