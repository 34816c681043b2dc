"""The images view over the pretend cluster: every state at every size, building, copying, stopping."""

from __future__ import annotations

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
from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Reachability
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.news import Advance, Remark
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.answer import AnswerSheet
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.images.view import ImagesView
from tests.still_clock import StillClock
from tests.tui.harness import SIZES, app_of, console, same_as_snapshot, scene, screen_text, seen, soon


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, and nobody's nodes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def image(tag: str = "vllm-node:latest", top: str = "a", days: int = 25) -> ImageIdentity:
    labels = {"org.sparkconsole.vllm.ref": "main", "org.sparkconsole.vllm.commit": "a41c0de" + "0" * 33}
    layers = ("sha256:base", f"sha256:{top}")
    created = f"2026-01-{days:02}T12:00:00+00:00"
    return ImageIdentity(tag, f"sha256:{top}", "linux/arm64", layers, "c", 23 << 30, created, labels)


def distribute(app: Console) -> None:
    """Most nodes have the image, the second another one, the last none; the third, of four, is lost."""
    names = list(app.store.nodes)
    for index, name in enumerate(names):
        own = [image(), image("vllm-node-tf5:v0.13.0", "t", 12)] if index == 0 else [image()]
        if index == 1:
            own = [image(top="z", days=2)]
        if 0 < index == len(names) - 1:
            own = []
        app.store.update(name, images=tuple(own))
    if len(names) > 3:
        app.store.update(names[2], reach=Reachability.LOST, reason="ssh keepalive timed out")


@asynccontextmanager
async def images_view(
    nodes: int = 2, size: tuple[int, int] = (80, 24), name: str = "idle", **options: Any
) -> AsyncIterator[tuple[Pilot[Any], StillClock, ImagesView]]:
    async with scene(name, nodes=nodes, size=size, **options) as (pilot, clock):
        await pilot.press("3")
        await seen(pilot, lambda t: "[3 Images]" in t)
        view = app_of(pilot).view
        assert isinstance(view, ImagesView)
        yield pilot, clock, view


async def asked(pilot: Pilot[Any], clock: StillClock) -> Confirm:
    """The question, once the nodes have said what its plan needs."""
    app = app_of(pilot)
    for _ in range(60):
        await clock.advance(0.5)
        await pilot.pause()
        if isinstance(app.screen, Confirm):
            break
    assert isinstance(app.screen, Confirm), screen_text(pilot)
    return app.screen


async def agreed(pilot: Pilot[Any], clock: StillClock) -> Any:
    """The plan that is asked about, agreed to; the work it became."""
    app = app_of(pilot)
    assert app.work is not None
    count = len(app.work.tasks)
    (await asked(pilot, clock)).dismiss(True)
    work = app.work
    await soon(lambda: len(work.tasks) > count, "it begins")
    return app.work.tasks[-1]


async def until_over(pilot: Pilot[Any], clock: StillClock, task: Any) -> None:
    for _ in range(400):
        if not task.running:
            break
        await clock.advance(1)
    assert not task.running
    app_of(pilot).clear_notifications()
    await pilot.pause()


async def settled(pilot: Pilot[Any], until: Callable[[str], bool]) -> str:
    """The screen once it stays the same."""
    text = await seen(pilot, until)
    while text != (again := await seen(pilot)):
        text = again
    return text


def break_(pilot: Pilot[Any], node: str, kind: str) -> None:
    """A fault of a pretend machine."""
    session = app_of(pilot).session
    assert session is not None
    assert session.pretend is not None
    inject(session.pretend.machines[node], kind)


# --- states


@pytest.mark.parametrize("nodes", [1, 2, 4, 8, 64])
async def test_the_matrix_at_every_size(nodes: int) -> None:
    async with images_view(nodes) as (pilot, _, _):
        distribute(app_of(pilot))
        for size in SIZES:
            await pilot.resize_terminal(*size)
            text = await settled(pilot, lambda t: "vllm-node-tf5" in t)
            same_as_snapshot(f"images-{nodes}-{size[0]}x{size[1]}", text)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
async def test_without_nodes_it_says_what_to_type(size: tuple[int, int]) -> None:
    app = Console(Options(), Settings(), still=True)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("3")
        text = await seen(pilot, lambda t: "node add" in t)
        dated = re.compile(r"\d{8}-\d{4}")  # this clock is the real one
        same = "\n".join(dated.sub("YYYYMMDD-HHMM", line) for line in text.splitlines()[1:])
        same_as_snapshot(f"images-0-{size[0]}x{size[1]}", same)
        await pilot.press("C")
        await soon(lambda: app._notifications, "it says what is missing")


async def test_a_cluster_without_images_says_how_to_get_one() -> None:
    async with images_view() as (pilot, _, _):
        for size in SIZES:
            await pilot.resize_terminal(*size)
            text = await settled(pilot, lambda t: "B builds one" in t)
            same_as_snapshot(f"images-empty-{size[0]}x{size[1]}", text)


async def test_before_the_nodes_answered_it_says_that_they_are_asked() -> None:
    async with images_view() as (pilot, _, _):
        for name in app_of(pilot).store.nodes:
            app_of(pilot).store.update(name, images=None)
        assert await seen(pilot, lambda t: "Asking the nodes for their images" in t)


async def test_lost_nodes_are_unknown_and_named_and_cannot_be_copied_to() -> None:
    async with images_view(4) as (pilot, _, view):
        distribute(app_of(pilot))
        text = await seen(pilot, lambda t: "spark-03 unknown: ssh keepalive timed out" in t)
        row = next(line for line in text.splitlines() if " vllm-node " in line or "▌vllm-node " in line)
        assert "✔   ≠   ·   ○" in row
        assert view.copy_to.targets.chosen == ("spark-02", "spark-04")
        assert " –   spark-03" in text


async def test_text_of_machines_is_text() -> None:
    async with images_view() as (pilot, _, _):
        app = app_of(pilot)
        app.store.update("spark-01", images=(image("[/x]\x1b[31m:\r\n1", "[/bold]"),))
        app.store.update("spark-02", reach=Reachability.LOST, reason="[/x] \x1b]0;boo\x07 gone")
        text = await seen(pilot, lambda t: "[/x]" in t)
        assert "\x1b" not in text
        await pilot.press("enter")
        await soon(lambda: isinstance(app.screen, AnswerSheet), "the details")


# --- looks


async def test_enter_shows_the_layers_and_d_where_they_differ() -> None:
    async with images_view() as (pilot, _, _):
        app = app_of(pilot)
        app.store.update("spark-01", images=(image(),))
        app.store.update("spark-02", images=(image(top="z"),))
        await seen(pilot, lambda t: "≠" in t)
        await pilot.press("enter")
        await soon(lambda: isinstance(app.screen, AnswerSheet), "the details")
        await seen(pilot, lambda t: "engine id" in t and "≠ different" in t)
        await pilot.press("escape", "d")
        await seen(pilot, lambda t: "2 and 2 layers, the first 1 of them" in t)


async def test_the_preview_follows_the_form_and_y_copies_it() -> None:
    async with images_view(size=(160, 48)) as (pilot, _, view):
        copied: list[str] = []
        app_of(pilot).copy_to_clipboard = copied.append  # type: ignore[method-assign, assignment]
        view.build.form.fill({"vllm_ref": "v0.13.0", "rebuild_deps": True, "recipe": "vllm-node-wheels"})
        text = await seen(pilot, lambda t: "VLLM_REF=v0.13.0" in t)
        assert ": image build --rebuild-deps --vllm-ref v0.13.0 --recipe vllm-node-wheels" in text
        await pilot.press("y")
        await soon(lambda: copied, "it is copied")
        assert copied[0].startswith("env DOCKER_BUILDKIT=1 docker build -t vllm-node -t vllm-node:2026")
        assert "CACHEBUST_DEPS=" in copied[0]


async def test_what_the_form_cannot_say_is_said_before_b_is_pressed() -> None:
    async with images_view() as (pilot, _, view):
        view.build.form.fill({"build_jobs": "many"})
        assert "build jobs is no whole number" in await seen(pilot, lambda t: "! build jobs" in t)
        await pilot.press("B")
        assert not isinstance(app_of(pilot).screen, Confirm)


async def test_a_filter_narrows_the_rows_and_letters_in_a_field_are_letters() -> None:
    async with images_view() as (pilot, _, view):
        distribute(app_of(pilot))
        await seen(pilot, lambda t: "tf5" in t)
        view.apply_filter("tf5")
        assert view.matrix.keys == ("vllm-node-tf5:v0.13.0",)
        view.apply_filter("")
        await pilot.press("tab")
        field = view.focused
        assert isinstance(field, Input)
        await pilot.press("B", "C", "X", "d", "y")
        assert field.value == "BCXdy"
        await pilot.press("escape")
        assert view.focused is view.matrix


async def test_space_and_a_click_choose_receivers() -> None:
    async with images_view(4) as (pilot, _, view):
        distribute(app_of(pilot))
        await seen(pilot, lambda t: "≠" in t)
        targets = view.copy_to.targets
        targets.focus()
        await soon(lambda: targets.has_focus, "it has the focus")
        await pilot.press("space")
        await soon(lambda: targets.chosen == ("spark-04",), "space turns a box")
        await pilot.press("a")
        await soon(lambda: targets.chosen == ("spark-02", "spark-04"), "a turns all")
        await pilot.click(targets, offset=(3, 0))
        await soon(lambda: targets.chosen == ("spark-04",), "a click turns a box")
        await seen(pilot, lambda t: ": image copy" in t and "--to spark-04" in t)


async def test_a_read_only_console_has_no_capitals() -> None:
    async with images_view(read_only=True) as (pilot, _, _):
        await pilot.press("B", "C", "P", "K", "X")
        await pilot.pause()
        assert not isinstance(app_of(pilot).screen, Confirm)
        assert "build…" not in screen_text(pilot)


# --- work


async def test_a_build_shows_its_plan_its_steps_and_its_image() -> None:
    async with images_view() as (pilot, clock, view):
        await pilot.press("B")
        task = await agreed(pilot, clock)
        for _ in range(20):
            await clock.advance(1)
        text = await seen(pilot, lambda t: "/8 steps" in t)
        assert "X stops it" in text
        assert "$ env DOCKER_BUILDKIT=1 docker build -t vllm-node" in text, "what runs is what is shown"
        assert "spark-01 [1/8] FROM" in text, "its output stands below the steps"
        await until_over(pilot, clock, task)
        await clock.advance(20)
        text = await seen(pilot, lambda t: "8/8 steps" in t and "▌vllm-node" in t)
        assert "✔   ○" in text
        await pilot.press("escape")
        await soon(lambda: not view.build.showing, "esc brings the form back")
        await pilot.press("e")
        await soon(lambda: view.build.showing, "e shows the work again")


async def test_copies_go_on_when_one_receiver_fails_and_its_reason_stands_there() -> None:
    async with images_view(4, name="built") as (pilot, clock, view):
        await clock.advance(20)
        await seen(pilot, lambda t: "[x]  spark-04" in t)
        view.copy_to.form.fill({"parallel": True})
        await pilot.press("C")
        task = await agreed(pilot, clock)
        for _ in range(8):
            await clock.advance(1)
        await seen(pilot, lambda t: t.count("MB/s") > 2)
        break_(pilot, "spark-03", "lost")
        await until_over(pilot, clock, task)
        text = await seen(pilot, lambda t: "✖ spark-03" in t)
        assert text.index("✖ spark-03") < text.index("✔ spark-02")
        assert "no route to host" in text
        assert task.state is TaskState.FAILED


@pytest.mark.parametrize("failed", [False, True], ids=["working", "failed"])
async def test_a_build_and_copies_side_by_side(failed: bool) -> None:
    async with images_view(4) as (pilot, clock, _):
        app = app_of(pilot)
        distribute(app)
        assert app.work is not None
        build = pretend_build(clock)
        app.work.tasks += [build, pretend_copy(clock, failed=failed)]
        await seen(pilot, lambda t: "5/8 steps" in t)
        if failed:
            fail(build)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            text = await settled(pilot, lambda t: "5/8 steps" in t and "960.0 MB/s" in t)
            same_as_snapshot(f"images-{'failed' if failed else 'working'}-{size[0]}x{size[1]}", text)


def pretend_build(clock: StillClock) -> Task:
    job = Job(id="build-x", node="spark-01", kind=JobKind.BUILD, argv=("docker", "build", "."))
    step = Step("build", "spark-01", "build vllm-node", job.argv, job=job)
    task = Task(
        ("image", "build"), Plan("Build vllm-node on spark-01", (step,)), clock, clock.monotonic() - 754
    )
    task.hear(Advance("spark-01", "steps of vllm-node", 5, 8, elapsed_s=754))
    task.hear(Advance("spark-01", "[6/8] RUN ninja -C build", 1201, 2210))
    for number in range(1, 6):
        task.hear(Remark(f"[{number}/8] RUN something long enough to be cut at the edge", "spark-01"))
    return task


def fail(task: Task) -> None:
    task.state, task.ended_s, task.version = TaskState.FAILED, task.clock.monotonic(), task.version + 1
    task.error = SparkError(
        "the build of vllm-node failed: [6/8] RUN ninja: Killed [/x]",
        hint="it ran out of memory: fewer --build-jobs",
        node="spark-01",
    )


def pretend_copy(clock: StillClock, *, failed: bool) -> Task:
    steps = tuple(
        Step(f"copy-spark-0{n}", "spark-01", f"copy vllm-node to spark-0{n}", ("sh", "-c", "a\nb", "copy"))
        for n in (2, 3, 4)
    )
    plan = Plan("Copy vllm-node from spark-01", steps, notes=("spark-05 has the same content already",))
    task = Task(("image", "copy", "vllm-node"), plan, clock, clock.monotonic() - 9)
    task.hear(Advance("spark-02", "copy vllm-node", 8e9, 20e9, "B", 960e6, 12.5, 9))
    task.hear(Remark("copy to spark-03 failed: load: no space left on device: /var/lib/docker", "", "error"))
    if failed:
        task.hear(
            Remark("copy to spark-04 unknown: sent, but it cannot be asked: no route to host", "", "error")
        )
    return task


async def test_the_commands_of_a_copy_are_asked_for_while_it_is_filled_in() -> None:
    async with images_view(2, (160, 48), name="built") as (pilot, clock, view):
        await clock.advance(20)
        await seen(pilot, lambda t: "[x]  spark-02" in t)
        view.copy_to.targets.focus()
        text = await seen(pilot, lambda t: "docker load" in t)
        assert ": image copy vllm-node --to spark-02" in text


async def test_x_stops_the_build() -> None:
    async with images_view() as (pilot, clock, _):
        await pilot.press("B")
        task = await agreed(pilot, clock)
        for _ in range(6):
            await clock.advance(1)
        await seen(pilot, lambda t: "X stops it" in t)
        await pilot.press("X")
        stop = await agreed(pilot, clock)
        assert stop.words[:2] == ("runs", "stop")
        await until_over(pilot, clock, task)
        await until_over(pilot, clock, stop)
        assert task.state is TaskState.CANCELLED
        told = await seen(pilot, lambda t: "stopped (runs" in t)
        assert "failed" not in told
        assert "✖" not in told


# --- old builds


def keep_builds(app: Console, *days: int) -> None:
    """The head has a build of each of these days, the newest under the plain name too."""
    builds = [image(f"vllm-node:202601{day:02}-1200", str(day), day) for day in days]
    app.store.update("spark-01", images=(image(top=str(days[-1]), days=days[-1]), *builds))


async def test_p_shows_who_has_what_and_asks_for_the_word() -> None:
    async with images_view(name="built") as (pilot, clock, _):
        app = app_of(pilot)
        await pilot.press("P")
        await asked(pilot, clock)
        text = await settled(pilot, lambda t: "remove build cache" in t)
        assert "stays: what the" in text
        assert "remove build cache that no build used for 72h" in text
        assert "$ " not in text, "commands are folded"
        assert "Type  prune  to confirm" in text
        same_as_snapshot("images-prune-80x24", text)
        await pilot.press(*"prune")
        work = app.work
        assert work is not None
        count = len(work.tasks)
        await pilot.press("enter")
        await soon(lambda: len(work.tasks) > count, "it begins")
        await until_over(pilot, clock, work.tasks[-1])
        answer = work.tasks[-1].answer
        assert answer is not None
        assert answer.data["nodes"]["spark-01"]["gone"] == ["build cache"]


async def test_p_and_k_mean_the_row_under_the_cursor() -> None:
    async with images_view() as (pilot, _, view):
        app = app_of(pilot)
        keep_builds(app, 3, 4, 5)
        said: list[tuple[str, ...]] = []
        app.say = lambda words, **_: said.append(tuple(words))  # type: ignore[method-assign, assignment]
        await seen(pilot, lambda t: "20260104-1200" in t)
        await pilot.press("P", "K")
        view.matrix.cursor_key = "vllm-node:20260104-1200"
        await soon(lambda: view.row and view.row.tag.endswith("0104-1200"), "the cursor is there")
        await pilot.press("P", "K")
        await soon(lambda: len(said) == 4, "each says something")
        prune, back = ("image", "prune", "vllm-node"), ("image", "rollback", "vllm-node")
        assert said == [prune, back, prune, (*back, "--to", "20260104-1200")]


async def test_k_without_an_image_says_so() -> None:
    async with console() as pilot:
        await pilot.press("3", "K")
        await soon(lambda: app_of(pilot)._notifications, "it says that there is none")


async def test_x_without_work_says_so() -> None:
    async with console() as pilot:
        await pilot.press("3", "X")
        await soon(lambda: app_of(pilot)._notifications, "it says that nothing is under way")
