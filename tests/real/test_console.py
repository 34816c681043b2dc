"""The console itself on real nodes: a pilot presses the keys, from no nodes at all to a stopped cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from sparkconsole.config.globals import Options
from sparkconsole.config.settings import Settings
from sparkconsole.fleet.store import Reachability, ServerPhase
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.line.prompt import CommandInput
from sparkconsole.tui.task import Task, TaskState
from tests.real.conftest import SERVE, Operator, assert_nothing_left
from tests.testbed.testbed import Testbed
from tests.tui.harness import screen_text

STEP_S = 0.2


class Desk:
    """A person at the console: presses keys, types lines, reads the screen."""

    def __init__(self, pilot: Pilot[Any], app: Console) -> None:
        self.pilot, self.app = pilot, app

    async def until(self, true: Callable[[], object], what: str, timeout_s: float) -> None:
        """Waits for something to be so; what the screen said when it never was."""
        for _ in range(int(timeout_s / STEP_S)):
            if true():
                return
            await self.pilot.pause(STEP_S)
        raise AssertionError(f"never: {what}\n{screen_text(self.pilot)}")

    async def sees(self, text: str, timeout_s: float = 30) -> None:
        """Waits until the screen says so."""
        await self.until(lambda: text in screen_text(self.pilot), f"the screen says {text!r}", timeout_s)

    async def press(self, *keys: str) -> None:
        """Presses keys."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, line: str) -> None:
        """Says a line after `:`."""
        await self.press("colon")
        self.app.screen.query_one(CommandInput).value = line
        await self.press("enter")

    async def agree(self, title: str) -> None:
        """Reads the plan in the dialog and goes on; Cancel has the focus."""
        await self.until(lambda: self._asked(title), f"a question about {title}", 60)
        await self.press("tab", "enter")

    def _asked(self, title: str) -> bool:
        """The dialog is there, painted, and its Cancel has the focus: each comes a moment after the other."""
        if not isinstance(self.app.screen, Confirm) or title.lower() not in screen_text(self.pilot).lower():
            return False
        return self.app.focused is self.app.screen.query_one("#cancel", Button)

    async def done(self, *words: str, timeout_s: float) -> Task:
        """Waits until the newest work of these words has succeeded."""
        work = self.app.work
        assert work is not None
        await self.until(lambda: work.find(*words), f"work {words}", 30)
        task = work.find(*words)
        assert task is not None
        await self.until(lambda: not task.running, f"the end of {words}", timeout_s)
        assert task.state is TaskState.DONE, f"{task.error} {task.answer}\n{screen_text(self.pilot)}"
        return task


@asynccontextmanager
async def at_the_console(
    bed: Testbed, person: Operator, monkeypatch: pytest.MonkeyPatch, *, size: tuple[int, int] = (160, 48)
) -> AsyncIterator[Desk]:
    """The real console in the operator's network, home and environment."""
    for name, value in person.environment.items():
        monkeypatch.setenv(name, value)
    with bed.at_operator():
        app = Console(Options(), Settings())
        async with app.run_test(size=size, notifications=True) as pilot:
            yield Desk(pilot, app)


async def test_from_no_nodes_to_a_measured_model_and_back(
    bed: Testbed, build_words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in (1, 2):  # files that ran before on these nodes may have left theirs
        names = "docker images --format '{{.Repository}}:{{.Tag}}' vllm-node"
        bed.exec(index, "sh", "-c", f"{names} | xargs -r docker rmi -f")
    # This thread stays in the machine's own network, where cables are pulled.
    with ThreadPoolExecutor(1) as machine_room:
        machine_room.submit(bool).result()
        loop = asyncio.get_running_loop()
        async with at_the_console(bed, Operator(bed, tmp_path), monkeypatch) as desk:
            await _introduce(desk, bed)
            await _build_and_copy(desk, build_words)
            await _serve_and_measure(desk)
            await _restart_the_worker(desk)
            await loop.run_in_executor(machine_room, bed.kill, 2)
            await desk.until(lambda: _reach(desk, "spark2") is Reachability.LOST, "spark2 is lost", 60)
            await desk.sees("✖ spark2")
            assert _reach(desk, "spark1") is Reachability.UP, "the other node goes on"
            await loop.run_in_executor(machine_room, bed.boot, 2)
            await desk.until(lambda: _reach(desk, "spark2") is Reachability.UP, "spark2 is back", 90)
            await desk.press("1", "D")
            await desk.agree("stop")
            await desk.done("stop", timeout_s=120)
    assert_nothing_left(bed)


async def _introduce(desk: Desk, bed: Testbed) -> None:
    await desk.sees("No nodes yet")
    for index, name in enumerate(("spark1", "spark2"), 1):
        await desk.type(f"node add {name} {bed.places.address(index)} --user spark")
        await desk.done("node", "add", timeout_s=30)
        await desk.until(lambda n=name: n in desk.app.store.nodes, f"{name} is there", 10)  # type: ignore[misc]
    await desk.sees("SHA256:")
    await desk.type("node trust")
    await desk.agree("trust")
    await desk.done("node", "trust", timeout_s=30)
    await desk.sees("2/2 up", 60)


async def _build_and_copy(desk: Desk, build_words: str) -> None:
    await desk.type(build_words)
    await desk.agree("build")
    await desk.done("image", "build", timeout_s=1500)
    await desk.type("image copy --to all")
    await desk.agree("copy")
    await desk.done("image", "copy", timeout_s=900)
    await desk.press("3")
    await desk.sees("vllm-node")


async def _serve_and_measure(desk: Desk) -> None:
    await desk.press("1", "U")
    await desk.agree("launch")
    await desk.done("launch", timeout_s=300)
    await desk.sees("ray 2/2", 60)
    await desk.type(SERVE)
    await desk.agree("serve")
    await desk.done("serve", timeout_s=400)
    await desk.until(lambda: desk.app.store.server.phase is ServerPhase.READY, "the server is ready", 60)
    await desk.press("5")
    await desk.sees("ready")
    await desk.type("bench run --num-prompts 24 --input-len 64 --output-len 32 --max-concurrency 4")
    bench = await desk.done("bench", "run", timeout_s=400)
    assert bench.answer is not None
    assert bench.answer.data["result"]["completed"] == 24


async def _restart_the_worker(desk: Desk) -> None:
    await desk.press("1")
    await desk.until(lambda: desk.app.view.NAME == "cluster", "the cluster view", 10)
    await desk.press("right")
    await desk.until(lambda: desk.app.view.selected_nodes() == ("spark2",), "spark2 is selected", 10)
    await desk.press("R")
    await desk.agree("restart")
    await desk.done("node", "restart", timeout_s=300)
    await desk.sees("ray 2/2", 60)


def _reach(desk: Desk, name: str) -> Reachability:
    return desk.app.store.nodes[name].reach
