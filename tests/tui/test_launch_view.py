"""The launch view over the pretend cluster: pages, plan and checks, the board, what stands in the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from sparkconsole.config.globals import Options
from sparkconsole.config.settings import Settings
from sparkconsole.demo.faults import inject
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.errors import SparkError
from sparkconsole.model.work.news import Remark, StepBegan
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.script.lines import read_script
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.launch.view import LaunchView
from tests.still_clock import StillClock
from tests.tui.harness import SIZES, app_of, same_as_snapshot, scene, screen_text, seen, soon


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("VLLM_SPARK_EXTRA_DOCKER_ARGS", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def machines(pilot: Pilot[Any]) -> dict[str, Machine]:
    session = app_of(pilot).session
    assert session is not None
    assert session.pretend is not None
    return session.pretend.machines


@asynccontextmanager
async def launch_view(
    nodes: int = 2, *, image: bool = True, **options: Any
) -> AsyncIterator[tuple[Pilot[Any], StillClock, LaunchView]]:
    """Every machine has the image, unless said otherwise; nothing runs."""
    async with scene(nodes=nodes, **options) as (pilot, clock):
        for machine in machines(pilot).values():
            if image:
                machine.built(("vllm-node",))
        await clock.advance(20)
        await pilot.press("4")
        await seen(pilot, lambda t: "[4 Launch]" in t)
        view = app_of(pilot).view
        assert isinstance(view, LaunchView)
        yield pilot, clock, view


async def settled(pilot: Pilot[Any], until: Callable[[str], bool]) -> str:
    """The screen once it stays the same."""
    text = await seen(pilot, until)
    while text != (again := await seen(pilot)):
        text = again
    return text


async def to_page(pilot: Pilot[Any], page: str) -> None:
    for _ in range(4):
        if app_of(pilot).view.page == page:  # type: ignore[attr-defined]
            return
        await pilot.press("right_square_bracket")
    raise AssertionError(f"no page {page}")


async def agreed(pilot: Pilot[Any], clock: StillClock) -> Task:
    """The plan that is asked about, agreed to; the work it became."""
    app = app_of(pilot)
    work = app.work
    assert work is not None
    count = len(work.tasks)
    for _ in range(60):
        await clock.advance(0.5)
        await pilot.pause()
        if isinstance(app.screen, Confirm):
            break
    assert isinstance(app.screen, Confirm), screen_text(pilot)
    app.screen.dismiss(True)
    await soon(lambda: len(work.tasks) > count, "it begins")
    return work.tasks[-1]


async def until_over(pilot: Pilot[Any], clock: StillClock, task: Task) -> None:
    for _ in range(400):
        if not task.running:
            break
        await clock.advance(1)
    assert not task.running
    await clock.advance(20)
    app_of(pilot).clear_notifications()
    await pilot.pause()


# --- pages


@pytest.mark.parametrize("nodes", [1, 2, 4, 8, 64])
async def test_the_review_has_the_very_plan_and_the_checks(nodes: int) -> None:
    async with launch_view(nodes) as (pilot, _, _):
        await to_page(pilot, "review")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            text = await settled(pilot, lambda t: "steps on" in t and "ok ─" in t and "docker run" in t)
            same_as_snapshot(f"launch-{nodes}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("page", ["nodes", "network", "container"])
async def test_each_page_fits_into_a_small_terminal(page: str) -> None:
    async with launch_view() as (pilot, _, _):
        await to_page(pilot, page)
        await seen(pilot, lambda t: "192.168.177.12" in t or page == "container")
        text = await settled(pilot, lambda t: f"[{page.title()}]" in t)
        same_as_snapshot(f"launch-{page}-80x24", text)


async def test_pages_turn_by_keys_buttons_and_clicks_and_backspace_in_a_field_is_a_letter() -> None:
    async with launch_view() as (pilot, _, view):
        await pilot.press("right_square_bracket")
        await soon(lambda: view.page == "network", "] goes on")
        await pilot.press("backspace")
        await soon(lambda: view.page == "nodes", "backspace goes back")
        await pilot.click("#page-next")
        await soon(lambda: view.page == "network", "the button too")
        view.query_one("#page-network Input", Input).focus()
        await pilot.pause()
        await pilot.press("e", "n", "p", "R", "]", "backspace")
        field = view.query_one("#page-network Input", Input)
        await soon(lambda: field.value == "enpR", "letters are letters in a field")
        assert view.page == "network"
        await pilot.press("escape")
        await soon(lambda: view.focused is None, "esc leaves the field")
        await view.run_action("page('review')")
        assert view.page == "review"


async def test_without_nodes_it_says_what_to_type() -> None:
    app = Console(Options(), Settings(), still=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("4")
        for size in SIZES:
            await pilot.resize_terminal(*size)
            text = await settled(pilot, lambda t: "node add" in t)
            same_as_snapshot(f"launch-0-{size[0]}x{size[1]}", "\n".join(text.splitlines()[1:]))


async def test_before_the_nodes_answered_it_says_that_they_are_asked() -> None:
    async with launch_view() as (pilot, _, _):
        for name in app_of(pilot).store.nodes:
            app_of(pilot).store.update(name, containers=None)
        assert await seen(pilot, lambda t: "asking the nodes what runs" in t)


async def test_a_lost_node_is_named_on_every_page_and_no_plan_is_made_without_it() -> None:
    async with launch_view() as (pilot, clock, _):
        inject(machines(pilot)["spark-02"], "lost")
        await clock.advance(60)
        await seen(pilot, lambda t: "✖ spark-02: 10.77.0.12: no route to host → is it switched on" in t)
        await to_page(pilot, "network")
        await seen(pilot, lambda t: "✖ lost" in t and "192.168.177.11" in t)
        await to_page(pilot, "review")
        text = await settled(
            pilot, lambda t: "✖ spark-02: 10.77.0.12: no route to host" in t and "1 failed" in t
        )
        same_as_snapshot("launch-lost-80x24", text)


async def test_a_missing_image_is_said_with_what_to_do() -> None:
    async with launch_view(image=False) as (pilot, _, _):
        await to_page(pilot, "review")
        text = await seen(pilot, lambda t: "3 goes to the images" in t)
        assert "✖ spark-01: the image vllm-node is not on spark-01, spark-02" in text


async def test_what_is_filled_in_is_what_is_planned_and_what_the_script_says(own_home: Path) -> None:
    async with launch_view() as (pilot, _, view):
        copied: list[str] = []
        app_of(pilot).copy_to_clipboard = copied.append  # type: ignore[method-assign, assignment]
        for form in view.query("Form"):
            form.fill({"backend": "solo", "nccl_debug": "INFO", "env": "HF_HUB_OFFLINE=1", "gpus": False})  # type: ignore[attr-defined]
        await to_page(pilot, "review")
        text = await seen(pilot, lambda t: "2 steps on 1 node" in t)
        assert "spark-02" not in text.split("checks")[0]
        await pilot.press("y")
        await soon(lambda: copied, "the script is copied")
        line = "launch --nccl-debug INFO --backend solo --env HF_HUB_OFFLINE=1 --no-gpus"
        assert copied[0] == f"# cluster: demo\n{line}\n"
        await pilot.press("ctrl+s", "ctrl+s")
        await soon((own_home / "launch-2.spark").exists, "it is saved beside the first")
        assert (own_home / "launch.spark").read_text() == copied[0]


async def test_what_cannot_be_is_said_and_not_launched() -> None:
    async with launch_view() as (pilot, _, view):
        for form in view.query("Form"):
            form.fill({"ray_port": "many"})  # type: ignore[attr-defined]
        await to_page(pilot, "review")
        assert "ray port is no whole number" in await seen(pilot, lambda t: "✖ ray port" in t)
        await pilot.press("ctrl+j")
        await soon(lambda: app_of(pilot)._notifications, "it says why")
        assert not isinstance(app_of(pilot).screen, Confirm)


async def test_text_of_machines_is_text() -> None:
    async with launch_view() as (pilot, _, _):
        app_of(pilot).store.update("spark-02", reach="lost", reason="[/x]\x1b[2J gone")
        from sparkconsole.fleet.store import Reachability

        app_of(pilot).store.update("spark-02", reach=Reachability.LOST)
        text = await seen(pilot, lambda t: "[/x] gone" in t)
        assert "\x1b" not in text


async def test_a_read_only_console_looks_and_launches_nothing() -> None:
    async with launch_view(read_only=True) as (pilot, _, _):
        await to_page(pilot, "review")
        await pilot.press("ctrl+j", "R", "D", "F")
        await pilot.pause()
        assert not isinstance(app_of(pilot).screen, Confirm)
        text = await seen(pilot, lambda t: "ok ─" in t)
        assert "Launch ^j" not in text
        assert "^j launch" not in text


# --- launching


async def test_a_launch_asks_shows_the_board_and_then_what_runs() -> None:
    async with launch_view() as (pilot, clock, view):
        await pilot.press("ctrl+j")
        task = await agreed(pilot, clock)
        await until_over(pilot, clock, task)
        assert task.state is TaskState.DONE, task.error
        text = await seen(pilot, lambda t: "2 of 2 nodes are ready" in t and "● vllm_node runs" in t)
        assert text.count("✔ joined") == 2
        await pilot.press("escape")
        await to_page(pilot, "review")
        await seen(pilot, lambda t: "already running" in t)
        await pilot.press("D")
        stop = await agreed(pilot, clock)
        assert stop.words == ("stop",)
        await until_over(pilot, clock, stop)
        await seen(pilot, lambda t: "nothing runs" in t)
        assert view.page == "review"


async def test_half_a_cluster_offers_repair_and_f_repairs_it() -> None:
    async with launch_view() as (pilot, clock, _):
        await pilot.press("ctrl+j")
        await until_over(pilot, clock, await agreed(pilot, clock))
        await pilot.press("escape")
        machines(pilot)["spark-02"].remove("vllm_node")
        await clock.advance(20)
        await to_page(pilot, "review")
        text = await settled(pilot, lambda t: "F repairs it" in t)
        same_as_snapshot("launch-half-80x24", text)
        await pilot.press("F")
        task = await agreed(pilot, clock)
        assert task.words == ("launch", "--repair")
        await until_over(pilot, clock, task)
        assert task.state is TaskState.DONE, task.error
        await seen(pilot, lambda t: "1 of 1 nodes are ready" in t)


@pytest.mark.parametrize("failed", [False, True], ids=["joining", "failed"])
async def test_the_board_says_what_is_missing_and_why(failed: bool) -> None:
    async with launch_view(4) as (pilot, clock, _):
        app = app_of(pilot)
        assert app.work is not None
        app.work.tasks.append(pretend_launch(tuple(app.store.nodes), clock, failed=failed))
        for size in SIZES:
            await pilot.resize_terminal(*size)
            text = await settled(pilot, lambda t: "Ray does not list it yet" in t)
            name = f"launch-{'failed' if failed else 'joining'}-{size[0]}x{size[1]}"
            same_as_snapshot(name, re.sub(r"\d{8}-\d{4}", "", text))


def pretend_launch(nodes: tuple[str, ...], clock: StillClock, *, failed: bool) -> Task:
    """The third has not joined, the fourth is still starting, or failed."""
    steps = tuple(
        Step(f"{n}:start", n, "start the container", ("docker", "run", "img", "ray", "start")) for n in nodes
    )
    plan = Plan(f"launch vllm_node (ray) on {', '.join(nodes)}", steps)
    task = Task(("launch",), plan, clock, clock.monotonic() - 31)
    for node in nodes:
        task.hear(StepBegan(node, "start the container"))
    for node in nodes[:2]:
        task.hear(Remark("joined", node))
    task.hear(Remark("running: Ray does not list it yet", nodes[2]))
    if failed:
        cause = "no such image: vllm-node [/x]"
        task.hear(Remark(f"failed: {cause}", nodes[3], "error"))
        task.state, task.ended_s = TaskState.FAILED, clock.monotonic()
        task.error = SparkError(cause, hint="sparkconsole image copy vllm-node", node=nodes[3])
    return task


async def test_x_stops_a_launch_after_asking() -> None:
    async with launch_view() as (pilot, clock, _):
        app = app_of(pilot)
        assert app.work is not None
        task = pretend_launch((*app.store.nodes, "c", "d"), clock, failed=False)
        task.handle = asyncio.create_task(asyncio.sleep(3600))
        app.work.tasks.append(task)
        await seen(pilot, lambda t: "X stops it and cleans up" in t)
        for agree in (False, True):
            assert task.handle is not None
            assert not task.handle.cancelled()
            await pilot.press("X")
            await soon(lambda: isinstance(app.screen, Confirm), "it asks")
            assert isinstance(app.screen, Confirm)
            app.screen.dismiss(agree)
            await soon(lambda: not isinstance(app.screen, Confirm), "it is answered")
        await soon(task.handle.cancelled, "it is let go of, which takes it back")


async def test_a_saved_script_is_one_that_the_script_face_reads(own_home: Path) -> None:
    async with launch_view() as (pilot, _, view):
        assert [line.words for line in read_script(view.script(), {})] == [("launch",)]
        await pilot.pause()
