"""The runs view: the journal and this session's work, the page of a run, and what can be done with runs."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import Store
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.logs.line import log_line
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import ConsoleProcess as Minder
from sparkconsole.model.work.job import Job, JobKind, Run, RunState
from sparkconsole.model.work.news import Advance, StepBegan
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.tui.dialogs.answer import AnswerSheet
from sparkconsole.tui.dialogs.confirm import Confirm
from sparkconsole.tui.task import Task, TaskState
from sparkconsole.tui.views.runs.run_page import RunView
from sparkconsole.tui.views.runs.view import RunsView
from tests.tui.harness import SIZES, app_of, console, same_as_snapshot, scene, seen, soon
from tests.tui.held import drawn, held
from tests.tui.stores import HOSTILE, WALL, filled

JOB = Job(id="serve-1", node="spark-01", kind=JobKind.SERVE, argv=("vllm",))
STEPS = [
    {"id": f"{n}", "node": n, "sentence": "start the container", "argv": ["docker", "run", "-d", "vllm-node"]}
    for n in ("spark-01", "spark-02")
]
ERROR = {"node": "spark-02", "cause": "no GPU is visible", "hint": "look at it in 7"}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def run(ago_min: int, words: str, took_s: int | None = 31, **changes: Any) -> Run:
    at = WALL - timedelta(minutes=ago_min)
    told = {"state": RunState.DONE, "exit_code": 0, "cluster": "lab", **changes}
    ended = None if took_s is None else at + timedelta(seconds=took_s)
    name = f"{at:%Y%m%d-%H%M%S}-{words.split(maxsplit=1)[0]}-00ab"
    return Run(id=name, words=tuple(words.split()), started=at, ended=ended, **told)


KEPT = (
    run(5, "serve openai/gpt-oss-120b", None, state=RunState.RUNNING, exit_code=None, jobs=(JOB,),
        console=Minder(host="elsewhere", pid=1),
        plan={"title": "serve openai/gpt-oss-120b", "steps": STEPS[:1]}),
    run(20, "launch", 120, state=RunState.FAILED, exit_code=1, error=ERROR,
        plan={"title": "launch vllm_node (ray) on spark-01, spark-02", "steps": STEPS}),
    run(60, "bench run --num-prompts 64", 70, outcome={"result": {"output_tokens_per_s": 162.0}},
        plan={"title": "benchmark openai/gpt-oss-120b with 64 requests", "steps": STEPS[:1]}),
    run(90, "bench run --num-prompts 32", 35, outcome={"result": {"output_tokens_per_s": 81.0}},
        plan={"title": "benchmark openai/gpt-oss-120b with 32 requests", "steps": STEPS[:1]}),
    run(60 * 24 * 3, "image copy --to all", 21, outcome={"hosts": [{"host": "spark-02", "bytes": 19.2e9}]},
        plan={"title": "Copy vllm-node from spark-01", "steps": STEPS[:1]}),
    run(60 * 24 * 60, "stop", 9, state=RunState.CANCELLED, exit_code=130),
)  # fmt: skip


async def over(pilot: Pilot[Any], runs: Sequence[Run] = KEPT, store: Store | None = None) -> RunsView:
    """The view over a journal of these."""
    app = app_of(pilot)
    await app.opened.wait()
    assert app.session is not None
    keep(pilot, runs)
    view = await held(pilot, "8", store or filled(2))
    assert isinstance(view, RunsView)
    await soon(lambda: view._known, "the journal is read")
    return view


def keep(pilot: Pilot[Any], runs: Sequence[Run]) -> None:
    session = app_of(pilot).session
    assert session is not None
    session.journal.folder.mkdir(parents=True, exist_ok=True)
    for each in runs:
        (session.journal.folder / f"{each.id}.json").write_text(each.model_dump_json())


def under_way(pilot: Pilot[Any]) -> Task:
    """A copy of this session, half done."""
    app = app_of(pilot)
    assert app.work is not None
    steps = tuple(Step(s["id"], s["node"], "copy it", ("docker", "save")) for s in STEPS)  # type: ignore[arg-type]
    words = ("image", "copy", "--to", "all")
    task = Task(words, Plan("Copy vllm-node from spark-01", steps), app.clock, app.clock.monotonic() - 61.0)
    task.hear(StepBegan("spark-01", "copy it"))
    task.hear(Advance("spark-02", "vllm-node", 51, 100, "%"))
    task.output.append(log_line("spark-01 sent 5.5 GB"))
    app.work.tasks.append(task)
    return task


def said(pilot: Pilot[Any]) -> list[tuple[str, ...]]:
    told: list[tuple[str, ...]] = []
    app_of(pilot).say = lambda words, **_: told.append(tuple(words))  # type: ignore[method-assign]
    return told


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_every_state(size: tuple[int, int]) -> None:
    where = f"{size[0]}x{size[1]}"
    async with console(nodes=2, size=size) as pilot:
        view = await over(pilot, (), Store(Cluster()))
        same_as_snapshot(f"runs-0-{where}", await drawn(pilot))
        for count in (1, 2, 4, 8, 64):
            keep(pilot, KEPT)
            app_of(pilot).store, view._read_at = filled(count), -99.0
            await drawn(pilot)
            same_as_snapshot(f"runs-{count}-{where}", await drawn(pilot))
        app_of(pilot).store = filled(2)
        under_way(pilot)
        same_as_snapshot(f"runs-running-{where}", await drawn(pilot))
        view.table.cursor_key = KEPT[1].id
        assert app_of(pilot).session is not None
        (view._list._journal.folder / f"{KEPT[1].id}.log").write_text(  # type: ignore[union-attr]
            "spark-01 start the container: done\nspark-02 docker: no such device\n"
            "spark-02 start the container: failed: status 125\n"
        )
        await pilot.press("enter")
        await drawn(pilot)
        same_as_snapshot(f"runs-page-{where}", await drawn(pilot))


async def test_files_that_cannot_be_read_are_named() -> None:
    async with console() as pilot:
        view = await over(pilot)
        assert view._list is not None
        (view._list._journal.folder / "torn.json").write_text("{")
        view._read_at = -99.0
        assert "could not be read, and was left alone:" in await drawn(pilot)
        assert "torn.json" in await drawn(pilot)


async def test_older_runs_are_read_when_the_end_of_the_list_is_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sparkconsole.tui.views.runs.view.FIRST", 3)
    monkeypatch.setattr("sparkconsole.tui.views.runs.view.MORE", 2)
    async with console() as pilot:
        app = app_of(pilot)
        await app.opened.wait()
        view = await over(pilot)
        view._most = 3
        view._read_at = -99.0
        await drawn(pilot)
        assert len(view.table.keys) == 3
        await pilot.press("end")
        await drawn(pilot)
        assert len(view.table.keys) == 5
        await pilot.press("slash", *"stop")
        await drawn(pilot)
        await soon(lambda: view.table.keys == (KEPT[5].id,), "all of the journal is looked through")


async def test_two_marked_runs_are_compared_the_older_first() -> None:
    async with console() as pilot:
        told = said(pilot)
        view = await over(pilot)
        await pilot.press("c")
        assert told == [], "two have to be marked"
        view.table.cursor_key = KEPT[2].id
        await pilot.press("space", "space", "c")
        assert told == [("runs", "compare", KEPT[3].id, KEPT[2].id)]
        await pilot.press("escape")
        assert view.table.marked == ()


async def test_the_difference_is_shown() -> None:
    async with console() as pilot:
        view = await over(pilot)
        view.table.cursor_key = KEPT[2].id
        await pilot.press("space", "space", "c")
        await soon(lambda: isinstance(app_of(pilot).screen, AnswerSheet), "an answer")
        await pilot.pause()
        text = " ".join((await seen(pilot)).split())
        assert "+100.0 %" in text
        assert "words --num-prompts 32 64" in text


@pytest.mark.parametrize(("key", "verb"), [("X", "stop"), ("E", "again"), ("a", "attach")])
@pytest.mark.parametrize("page", [False, True], ids=["list", "page"])
async def test_keys_say_verbs_about_the_run_under_the_cursor(key: str, verb: str, page: bool) -> None:
    async with console() as pilot:
        told = said(pilot)
        await over(pilot)
        if page:
            await pilot.press("enter")
            await soon(lambda: isinstance(app_of(pilot).view, RunView), "the page")
            await drawn(pilot)
        await pilot.press(key)
        assert told == [("runs", verb, KEPT[0].id)]


async def test_nothing_is_said_of_no_run_or_of_several() -> None:
    async with console() as pilot:
        told = said(pilot)
        await over(pilot, ())
        await pilot.press("E", "X", "a", "y", "enter", "c")
        assert told == []
        keep(pilot, KEPT)
        app_of(pilot).view._read_at = -99.0  # type: ignore[attr-defined]
        await drawn(pilot)
        await pilot.press("space", "space", "E")
        assert told == []


async def test_y_copies_a_script_of_the_marked_runs() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        view = await over(pilot)
        view.table.cursor_key = KEPT[4].id
        await pilot.press("space", "space", "y")
        await soon(lambda: "image copy" in app.clipboard, "a script")
        assert app.clipboard.splitlines()[-1] == "image copy --to all"
        assert "\nstop\n" in app.clipboard


async def test_e_asks_with_the_plan_and_runs_as_the_verb_itself() -> None:
    async with scene("built") as (pilot, clock):
        app = app_of(pilot)
        await pilot.press("8")
        await seen(pilot, lambda t: "build" in t and "done" in t)
        await pilot.press("E")
        await soon(lambda: isinstance(app.screen, Confirm), "a question")
        await pilot.pause()
        await pilot.press("tab", "enter")
        assert app.work is not None
        await soon(lambda: len(app.work.tasks) == 2, "it runs")  # type: ignore[union-attr]
        assert app.work.tasks[-1].words == ("image", "build")
        for _ in range(120):
            await clock.advance(1)
            if not app.work.tasks[-1].running:
                break
        assert app.session is not None
        assert [r.words for r in app.session.journal.runs()] == [("image", "build")] * 2


async def test_work_of_this_session_goes_on_on_its_page() -> None:
    async with console() as pilot:
        view = await over(pilot, ())
        task = under_way(pilot)
        text = await drawn(pilot)
        assert "running 51 %" in text
        assert view.chosen_task() is task
        await pilot.press("enter")
        text = await drawn(pilot)
        assert "▶ spark-01  copy it" in text
        assert "○ spark-02  copy it" in text
        assert "sent 5.5 GB" in text
        task.output.append(log_line("spark-01 sent 9.9 GB"))
        assert "sent 9.9 GB" in await drawn(pilot)
        task.error, task.state = SparkError("no space", hint="make some", node="spark-02"), TaskState.FAILED
        task.ended_s, task.version = task.clock.monotonic(), 99
        text = await drawn(pilot)
        assert "✖ spark-02: no space" in text
        assert "→ make some" in text


async def test_x_lets_go_of_a_stream() -> None:
    async with console() as pilot:
        app = app_of(pilot)
        told = said(pilot)
        await over(pilot, ())
        task = under_way(pilot)
        task.plan = None
        gone: list[Task] = []
        assert app.work is not None
        app.work.cancel = gone.append  # type: ignore[method-assign, assignment]
        await drawn(pilot)
        await pilot.press("X")
        assert (gone, told) == ([task], [])


@pytest.mark.parametrize("size", [*SIZES, (60, 16), (20, 5)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_text_of_machines_is_never_markup(size: tuple[int, int]) -> None:
    hostile = run(
        1, "launch", state=RunState.FAILED, error={"cause": HOSTILE, "hint": HOSTILE, "node": HOSTILE},
        plan={"title": HOSTILE, "notes": [HOSTILE],
              "steps": [{"node": HOSTILE, "sentence": HOSTILE, "argv": [HOSTILE]}]},
        outcome={HOSTILE: HOSTILE}, cluster=HOSTILE,
    ).model_copy(update={"words": (HOSTILE, HOSTILE)})  # fmt: skip
    async with console(nodes=2, size=size) as pilot:
        await over(pilot, (hostile,))
        assert "\x1b" not in await drawn(pilot)
        task = under_way(pilot)
        task.plan, task.answer = Plan(HOSTILE), Answer({}, (HOSTILE,))
        task.state, task.error, task.ended_s = TaskState.FAILED, SparkError(HOSTILE, hint=HOSTILE), 0.0
        for _ in range(2):
            assert "\x1b" not in await drawn(pilot)
            await pilot.press("enter")
            assert "\x1b" not in await drawn(pilot)
            await pilot.press("e", "o", "escape", "down")
