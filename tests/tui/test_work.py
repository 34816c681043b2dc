"""Work: words become answers, plans that are asked about, and deeds that go on beside the views."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo.answers import tools
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.errors import SparkError
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.job import RunState
from sparkconsole.model.work.news import Advance, News, Remark, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.model.work.tier import Tier
from sparkconsole.tui.task import Task, TaskState, verdict
from sparkconsole.tui.work import Work
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.record import UNRECORDED
from tests.tui.harness import soon


class Person:
    """Agrees or not, and remembers what was shown."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.agrees, self.plans, self.answers, self.errors = agrees, [], [], []
        self.over: list[Task] = []

    def confirm(
        self, words: Sequence[str], plan: Plan, before: Plan | None = None, *, dry_run: bool = False
    ) -> asyncio.Future[bool]:
        self.plans.append(plan)
        said: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        said.set_result(self.agrees)
        return said

    def show_answer(self, words: Sequence[str], answer: Answer) -> None:
        self.answers.append(answer)

    def show_task(self, task: Task) -> None:
        """Streams are shown at once."""

    def show_error(self, error: SparkError) -> None:
        self.errors.append(error)

    async def ended(self, task: Task) -> None:
        self.over.append(task)


@asynccontextmanager
async def at_work(person: Person, **options: object) -> AsyncIterator[Work]:
    async with open_session(Options(demo=2, **options)) as session:  # type: ignore[arg-type]
        work = Work(session, person)
        try:
            yield work
        finally:
            await work.aclose()


async def the_end(task: Task | None) -> Task:
    assert task is not None
    assert task.handle is not None
    await asyncio.wait({task.handle}, timeout=30)
    return task


async def test_a_look_is_answered_and_asks_nothing() -> None:
    person = Person()
    async with at_work(person) as work:
        assert await work.say(("node", "list")) is None
    assert not person.plans
    assert "spark-02" in str(person.answers[0].data)


async def test_a_deed_is_planned_asked_about_done_and_written_down() -> None:
    person = Person()
    async with at_work(person) as work:
        task = await the_end(await work.say(("image", "build")))
        assert [plan.tier for plan in person.plans] == [Tier.RECOVERABLE]
        assert task.state is TaskState.DONE, task.error
        assert set(task.steps.values()) == {"done"}
        assert person.over == [task]
        run = work.session.journal.find(task.run_id)
        assert run.state is RunState.DONE
        assert run.words == ("image", "build")


async def test_nothing_happens_without_agreement() -> None:
    person = Person(agrees=False)
    async with at_work(person) as work:
        assert await work.say(("image", "build")) is None
        assert work.tasks == []
        assert work.session.journal.runs() == []


async def test_a_dry_run_only_shows_the_plan() -> None:
    person = Person()
    async with at_work(person, dry_run=True) as work:
        assert await work.say(("image", "build")) is None
        assert len(person.plans) == 1
        assert work.tasks == []


async def test_a_typo_runs_nothing_and_is_answered() -> None:
    person = Person()
    async with at_work(person) as work:
        assert await work.say(("lanch",)) is None
    assert "launch" in person.errors[0].hint


async def test_read_only_refuses_what_changes() -> None:
    person = Person()
    async with at_work(person, read_only=True) as work:
        await work.say(("launch",))
    assert "read-only" in person.errors[0].cause


async def test_two_deeds_at_once_have_a_run_each() -> None:
    person = Person()
    async with at_work(person) as work:
        first = await work.say(("image", "build", "--tag", "one"))
        second = await work.say(("image", "build", "--tag", "two"))
        assert len(work.running) == 2
        ended = [await the_end(first), await the_end(second)]
        assert len({task.run_id for task in ended}) == 2
        assert work.find("image", "build") is second


async def test_a_mark_on_a_lost_node_goes_when_the_node_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []

    def put(machine: Machine, _: tuple[str, ...]) -> tuple[int, str, str]:
        if machine.name == "spark-02":
            machine.faults["lost"] = 0.0
        return 0, "", ""

    def remove(machine: Machine, _: tuple[str, ...]) -> tuple[int, str, str]:
        removed.append(machine.name)
        return 0, "", ""

    monkeypatch.setitem(tools._SCRIPTS, "mark-put", put)
    monkeypatch.setitem(tools._SCRIPTS, "mark-remove", remove)
    async with at_work(Person()) as work:
        task = await the_end(await work.say(["node", "drop-caches"]))
        assert (task.broke, removed) == (True, ["spark-01"])
        assert work.session.pretend is not None
        work.session.pretend.machines["spark-02"].faults.clear()
        await soon(lambda: removed == ["spark-01", "spark-02"], "the mark goes")


async def test_letting_go_leaves_detached_work_running() -> None:
    person = Person()
    async with at_work(person) as work:
        task = await work.say(("image", "build"))
        assert task is not None
        await soon(lambda: task.run_id and "started" in task.steps.values(), "its job runs")
        work.cancel(task)
        await the_end(task)
        assert task.state is TaskState.CANCELLED
        assert work.session.journal.find(task.run_id).ended is None, "it goes on and can be attached to"


SLOW = Remark("slow", "spark-01", "warning")
NOT_ENDED = StepOutcome(Step("a", "spark-01", "end it", ("true",)), ok=False, detail="busy")
REMARKS = {
    "an error": ([Remark("no room", "spark-02", "error"), SLOW], "spark-02: no room"),
    "a warning": ([Remark("read slowly", "spark-01"), SLOW], "spark-01: slow"),
    "of all nodes": ([Remark("copy to b failed: gone", level="error")], "copy to b failed: gone"),
    "a step": ([StepEnded(NOT_ENDED)], "spark-01: end it: busy"),
    "only no record": ([Remark(f"disk full; {UNRECORDED}", level="warning")], "3 of 8 requests failed"),
}  # fmt: skip


@pytest.mark.parametrize(("news", "why"), REMARKS.values(), ids=REMARKS)
def test_what_went_wrong_is_said_and_not_a_number(news: list[News], why: str) -> None:
    answer = Answer({}, ("3 of 8 requests failed",), exit_code=1)
    task = Task(("bench",), Plan("it"), state=TaskState.FAILED, answer=answer)
    for each in news:
        task.hear(each)
    assert verdict(task) == ("error", f"it: {why}")
    unknown = replace(task, state=TaskState.UNKNOWN, answer=replace(answer, exit_code=3))
    assert verdict(unknown) == ("error", f"it: how it ended is unknown: {why}")


def test_what_is_waited_for_stands_in_the_place_of_progress_that_is_old() -> None:
    task = Task(("image", "copy"), Plan("copy"))
    sent = Advance("spark-02", "copy x", 4_000_000, 16_000_000, "B")
    task.hear(sent)
    advanced = task.progress
    assert "4.0 MB of 16.0 MB" in advanced
    task.hear(Remark("lost, and is waited for until 15:04:12", "spark-01", "warning"))
    assert task.progress == "spark-01: lost, and is waited for until 15:04:12"
    task.hear(sent)
    assert task.progress == advanced


async def test_a_stream_becomes_work_whose_output_is_kept() -> None:
    async with at_work(Person()) as work:
        task = await the_end(await work.say(("logs", "spark-01")))
        assert task.state is TaskState.DONE
        assert len(task.output) > 0


@pytest.mark.parametrize("words", [("launch",), ("node", "restart", "spark-01")])
async def test_a_refusal_is_shown_and_nothing_is_left_half_done(words: tuple[str, ...]) -> None:
    person = Person()
    async with at_work(person) as work:
        await work.say(words)
    assert person.errors, "there is no image, and no container"
    assert person.errors[0].hint
