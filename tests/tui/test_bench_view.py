"""The bench view over stores filled by hand, with benchmarks that run, ended, failed and were kept."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.store import ServerPhase, ServerState, Store
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.logs.line import log_line
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.news import Advance
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.task import Task, TaskState, verdict
from sparkconsole.tui.views.bench.kept import KeptBenches
from sparkconsole.tui.views.bench.view import BenchView
from tests.tui.harness import SIZES, app_of, console, same_as_snapshot
from tests.tui.held import drawn, held
from tests.tui.stores import HOSTILE, MODEL, filled

RESULT = {
    "completed": 64,
    "failed": 0,
    "duration_s": 70.25,
    "requests_per_s": 0.91,
    "output_tokens_per_s": 162.04,
    "total_tokens_per_s": 1834.5,
    "input_tokens": 65536,
    "output_tokens": 8192,
    "latencies": {
        "mean_ttft": 402.0, "median_ttft": 212.4, "p99_ttft": 871.0,
        "mean_tpot": 24.9, "median_tpot": 24.12, "p99_tpot": 31.0,
        "mean_itl": 24.6, "median_itl": 23.0, "p99_itl": 88.0,
    },
    "distributions": {
        "ttft": [150 + (i * i) % 97 + (i * 12 if i > 50 else 0) for i in range(64)],
        "tpot": [22 + (i * 7) % 13 / 2 for i in range(64)],
    },
}  # fmt: skip
KEPT = [
    {
        "id": f"20260131-{10 - i:02}3000-bench-run-ab{i:02}",
        "when": f"2026-01-31 {10 - i:02}:30",
        "model": MODEL,
        "spec": {"max_concurrency": 2**i, "num_prompts": 64},
        "result": {**RESULT, "output_tokens_per_s": 162.04 - 20 * i},
        "server": {},
        "file": "",
    }
    for i in range(4)
]
PLAN = Plan(f"benchmark {MODEL} with 64 requests")
WORDS = ("bench", "run", "--num-prompts", "64")


async def over(pilot: Pilot[Any], store: Store, kept: list[dict[str, Any]] | None = None) -> BenchView:
    view = await held(pilot, "6", store)
    assert isinstance(view, BenchView)
    await keep(view, KEPT if kept is None else kept)
    return view


async def keep(view: BenchView, kept: list[dict[str, Any]]) -> None:
    view._kept = tuple(kept)
    view.query_one(KeptBenches).offer(kept)


def began(pilot: Pilot[Any], **how: Any) -> Task:
    work = app_of(pilot).work
    assert work is not None
    task = Task(WORDS, PLAN, **how)
    work.tasks.append(task)
    return task


def running(pilot: Pilot[Any]) -> Task:
    task = began(pilot, began_s=1.0, ended_s=73.4)
    task.hear(Advance("spark-01", "requests", 46, 64))
    for text in ("Traffic request rate: inf", "Maximum request concurrency: 8"):
        task.output.append(log_line(text))
    return task


def ended(pilot: Pilot[Any]) -> Task:
    answer = Answer({"model": MODEL, "result": RESULT})
    return began(pilot, state=TaskState.DONE, began_s=0.0, ended_s=70.0, answer=answer)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_every_size_of_cluster_and_every_state(size: tuple[int, int]) -> None:
    stores = {str(n): filled(n) for n in (1, 2, 4, 8, 64)}
    stores["0"] = Store(Cluster())
    stores["0"].server = ServerState(ServerPhase.NONE)
    where = f"{size[0]}x{size[1]}"
    async with console(nodes=2, size=size) as pilot:
        view = await over(pilot, filled(2), [])
        for name, store in stores.items():
            app_of(pilot).store = store
            same_as_snapshot(f"bench-{name}-{where}", await drawn(pilot))
        app_of(pilot).store = store = filled(2)
        await keep(view, KEPT)
        task = running(pilot)
        for at, rate in enumerate([0.0, 12.0, 30.0, 39.0, 41.0, 40.2, None, 39.8]):
            store.serve(generated_per_s=rate, seen_at_s=float(at))
            view.sample()
        same_as_snapshot(f"bench-running-{where}", await drawn(pilot))
        task.state, task.answer, task.version = TaskState.DONE, Answer({"result": RESULT}), 99
        view.sample()
        await drawn(pilot)
        await keep(view, KEPT)
        same_as_snapshot(f"bench-done-{where}", await drawn(pilot))
        error = SparkError("it ended with status 1: ValueError: unknown dataset", hint="see its log")
        began(pilot, state=TaskState.FAILED, began_s=0.0, ended_s=3.0, error=error)
        same_as_snapshot(f"bench-failed-{where}", await drawn(pilot))


async def test_a_benchmark_whose_end_was_not_seen_is_unknown() -> None:
    async with console(nodes=2) as pilot:
        await over(pilot, filled(2), [])
        error = Unreachable("no route to it", node="spark-01")
        task = began(pilot, state=TaskState.UNKNOWN, began_s=0.0, ended_s=3.0, error=error)
        text = await drawn(pilot)
        assert "– unknown" in text
        assert "spark-01: no route to it" in text
        assert "✖ failed" not in text
        assert verdict(task)[1].startswith(f"{task.title}: how it ended is unknown")


async def test_the_form_shows_vllms_own_command() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, filled(2))
        view.form.fill({"num_prompts": "64", "max_concurrency": "8", "extra": "--goodput ttft:500"})
        text = " ".join((await drawn(pilot)).replace("│", " ").split())
        assert (
            "docker exec vllm_node vllm bench serve --backend vllm --base-url http://127.0.0.1:8888 " in text
        )
        command = view.preview().text()
        assert command.endswith("--num-prompts 64 --seed 0 --max-concurrency 8 --goodput ttft:500")
        assert view.form.words()[-2:] == ("--goodput", "ttft:500")
        view.form.fill({"request_rate": "fast"})
        assert "! request rate is no number" in await drawn(pilot)
        view.form.fill({"request_rate": "0"})
        assert "! --request-rate takes more than 0, not 0" in await drawn(pilot)


async def test_a_result_without_what_each_request_took_shows_percentiles_only() -> None:
    async with console(nodes=2, size=(160, 48)) as pilot:
        await over(pilot, filled(2))
        bare = {k: v for k, v in RESULT.items() if k != "distributions"}
        began(pilot, state=TaskState.DONE, ended_s=0.0, answer=Answer({"result": bare}))
        text = await drawn(pilot)
        assert "TTFT" in text
        assert "ttft ms ·" not in text


async def test_a_kept_result_is_shown_and_esc_goes_back() -> None:
    async with console(nodes=2) as pilot:
        view = await over(pilot, filled(2))
        kept = view.query_one(KeptBenches)
        kept.focus()
        await pilot.press("down", "enter")
        assert "done · 2026-01-31 09:30" in await drawn(pilot)
        await pilot.press("escape", "escape")
        assert "no result yet" in await drawn(pilot)


async def test_two_are_marked_and_compared() -> None:
    async with console(nodes=2) as pilot:
        said: list[tuple[str, ...]] = []
        view = await over(pilot, filled(2))
        app_of(pilot).say = lambda words, **_: said.append(tuple(words))  # type: ignore[method-assign]
        await pilot.press("c")
        assert said == [], "two have to be marked"
        await pilot.press("space", "down", "space", "down", "space")
        assert view.query_one(KeptBenches).marked == (KEPT[1]["id"], KEPT[2]["id"])
        await pilot.press("c")
        assert said == [("bench", "compare", KEPT[1]["id"], KEPT[2]["id"])]
        await pilot.press("space")
        assert len(view.query_one(KeptBenches).marked) == 1


async def test_running_says_the_verb_and_asks_first_when_others_are_answered() -> None:
    async with console(nodes=2) as pilot:
        app = app_of(pilot)
        said: list[tuple[tuple[str, ...], bool]] = []
        store = filled(2)
        view = await over(pilot, store)
        app.say = lambda words, asking=False, **_: said.append((tuple(words), asking))  # type: ignore[method-assign]
        view.form.fill({"num_prompts": "64"})
        await pilot.press("ctrl+j")
        await pilot.pause(0.1)
        assert said == [(WORDS, True)]
        store.server = replace(store.server, load=None)
        await pilot.press("ctrl+j")
        await pilot.pause(0.1)
        assert said[1:] == [(WORDS, False)]
        running(pilot)
        await pilot.press("ctrl+j")
        assert len(said) == 2, "one at a time"


async def test_x_stops_what_runs_and_nothing_else() -> None:
    async with console(nodes=2) as pilot:
        said: list[tuple[str, ...]] = []
        await over(pilot, filled(2))
        app = app_of(pilot)
        app.say = lambda words, **_: said.append(tuple(words))  # type: ignore[method-assign]
        await pilot.press("X")
        assert said == []
        task = running(pilot)
        assert app.session is not None
        run = app.session.journal.begin(WORDS, "demo", {})
        task.session = replace(app.session, run=run)
        await pilot.press("X")
        assert said == [("runs", "stop", run.id)]


async def test_a_result_is_saved_for_its_owner_alone(tmp_path: Path) -> None:
    async with console(nodes=2) as pilot:
        await over(pilot, filled(2))
        await pilot.press("ctrl+s")
        assert list(Path.home().rglob("results/*")) == []
        ended(pilot)
        await drawn(pilot)
        await pilot.press("ctrl+s")
        (path,) = Path.home().rglob("results/*.json")
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())["result"]["completed"] == 64


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (ServerPhase.NONE, "5 serves a model"),
        (ServerPhase.LOADING, "still loading"),
        (ServerPhase.UNKNOWN, "Not known yet"),
        (ServerPhase.READY, "^j benchmarks"),
    ],
)
async def test_the_empty_state_says_what_to_do(phase: ServerPhase, word: str) -> None:
    async with console(nodes=2) as pilot:
        store = filled(2)
        store.server = replace(store.server, phase=phase)
        await over(pilot, store, [])
        assert word in await drawn(pilot)


@pytest.mark.parametrize("size", [*SIZES, (60, 16), (20, 5)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_text_of_machines_is_never_markup(size: tuple[int, int]) -> None:
    async with console(nodes=2, size=size) as pilot:
        store = filled(2)
        store.server = replace(store.server, model=HOSTILE)
        view = await over(pilot, store, [{**KEPT[0], "model": HOSTILE, "when": HOSTILE}])
        error = SparkError(HOSTILE, hint=HOSTILE)
        for how in (
            {"state": TaskState.FAILED, "error": error},
            {"state": TaskState.DONE, "answer": Answer({"result": RESULT, "error": HOSTILE})},
            {},
        ):
            began(pilot, **how).plan = Plan(HOSTILE)
            assert "\x1b" not in await drawn(pilot)
        view._shown = {**KEPT[0], "model": HOSTILE, "when": HOSTILE}
        assert "\x1b" not in await drawn(pilot)


@pytest.mark.parametrize("name", ["serve", "bench"])
async def test_a_view_is_not_sampled_before_it_has_its_parts(name: str) -> None:
    async with console(nodes=2) as pilot:
        app = app_of(pilot)
        await app.opened.wait()
        app.call_later(app.run_action, f"app.view({name!r})")
        for _ in range(3000):
            app._sample()
            app._sample_logs()
            if name == app.view.NAME and app.view.is_mounted:
                break
            await asyncio.sleep(0)
        assert name == app.view.NAME
        await drawn(pilot)
