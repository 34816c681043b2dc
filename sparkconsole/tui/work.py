"""Everything the console does is said in words: understood, planned, agreed to, carried out beside the views.

Work survives changes of view and is listed under Runs. Leaving the console leaves detached jobs running.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sparkconsole.clock import cancelled
from sparkconsole.config.globals import Origin
from sparkconsole.errors import Cancelled, SparkError, Stopped, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.marks import WorkOfOthers, left_behind, remove_marks_later, work_of_others
from sparkconsole.fleet.waiting import Tell, waiting
from sparkconsole.model.logs.line import log_line
from sparkconsole.model.text.redact import LineRedactor, redact_data
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.model.work.news import (
    Report,
)
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.task import Task, TaskState, job_ends
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin, execute
from sparkconsole.verbs.grammar.open_session import beside, take_over
from sparkconsole.verbs.grammar.record import ended_as, state_of
from sparkconsole.verbs.grammar.registry import Request
from sparkconsole.verbs.grammar.session import PlannedAction, Session

SAY_S = 1.0
"""An end that takes longer is said on the terminal, which is given back by then."""
KEPT = 20
"""Pieces of work that are remembered after their end; the journal has all of them."""


class Face(Protocol):
    """What work asks of the console."""

    def confirm(
        self, words: Sequence[str], plan: Plan, before: Plan | None = None, *, dry_run: bool = False
    ) -> asyncio.Future[bool]:
        """Shows the plan and asks; what the person said. `before`: what stood there until it had to change.

        `dry_run`: it is only shown.
        """

    def show_answer(self, words: Sequence[str], answer: Answer) -> None:
        """Shows what a looking verb found."""

    def show_task(self, task: Task) -> None:
        """Shows a piece of work."""

    def show_error(self, error: SparkError) -> None:
        """Says what went wrong."""

    async def ended(self, task: Task) -> None:
        """A piece of work is over; the cluster may be another one now."""


class Work:
    """`say` words; `tasks` are what came of it, newest last."""

    def __init__(self, session: Session, face: Face) -> None:
        self.session, self._face = session, face
        self.tasks: list[Task] = []
        self.unattended: tuple[Run, ...] = ()
        """Runs whose console is gone, newest first."""
        self.others: tuple[WorkOfOthers, ...] = ()
        """What other consoles do on the nodes, or left there."""
        self._fleets: list[Fleet] = []
        self._later: list[asyncio.Task[None]] = []
        """What is taken away once its node is back."""

    async def say(self, words: Sequence[str], *, shown: bool = False, asking: bool = False) -> Task | None:
        """Does what the words say, after asking where it changes something; the work it became, if any.

        `shown`: the work's own screen is opened. `asking`: it is asked first, whatever it is. Errors are
        shown, never raised.
        """
        try:
            request = understand(words, Origin.CONSOLE)
            line = ConsolePresenter(self, self._face, self._own_session(request), request, words, shown)
            yes = request.given.get("yes")
            return await execute(line.session, request, line, yes=yes, always_ask=asking)
        except SparkError as error:
            self._face.show_error(error)
            return None

    async def answer(self, words: Sequence[str]) -> Answer:
        """What a looking verb finds; SparkError for everything else."""
        result = await begin(self._own_session(), understand(words))
        if not isinstance(result, Answer):
            raise WrongUsage(f"{' '.join(words)} is no question")
        return result

    async def plan(self, words: Sequence[str]) -> Plan:
        """The plan of a deed, which is not carried out; SparkError when there can be none."""
        result = await begin(self._own_session(), understand(words))
        if isinstance(result, PlannedAction):
            return result.plan
        raise WrongUsage(f"{' '.join(words)} has nothing to do")

    def find(self, *words: str) -> Task | None:
        """The newest work whose words begin so."""
        return next((t for t in reversed(self.tasks) if t.words[: len(words)] == words), None)

    @property
    def running(self) -> tuple[Task, ...]:
        """What has not ended, oldest first."""
        return tuple(t for t in self.tasks if t.running)

    async def look_back(self, nodes: Sequence[str] = ()) -> None:
        """Finds what is unattended, and what others do on these nodes; the disk may be slow."""
        self.others = await work_of_others(self.session.fleet, self.session.journal, nodes)
        left = await asyncio.to_thread(left_behind, self.session.journal)
        self.unattended = tuple(run for run in left if run.state is RunState.UNKNOWN and run.nodes)

    def cancel(self, task: Task) -> None:
        """Lets go of a piece of work; a detached job of it goes on (`runs stop` ends that)."""
        if task.handle is not None:
            task.handle.cancel()

    async def aclose(self, tell: Tell | None = None) -> None:
        """Lets go of everything. A deed ends in order, and `tell` is told where that takes long.

        Where there is none, no node is waited for.
        """
        fleets = (self.session.fleet, *self._fleets)
        if not any(task.plan for task in self.running):
            _cut_soon(fleets)
        for task in self.running:
            self.cancel(task)
        async with waiting(self._still_ending, SAY_S, tell):
            await asyncio.gather(*(t.handle for t in self.tasks if t.handle), return_exceptions=True)
        await cancelled(self._later)
        _cut_soon(fleets)
        for fleet in self._fleets:
            await fleet.__aexit__(None, None, None)

    def _still_ending(self, seconds: float) -> Iterator[tuple[str, str]]:
        for task in self.running:
            yield "", f"waiting for the end of {' '.join(task.words[:2])}, {seconds:.0f} s; ctrl+c leaves now"

    def _own_session(self, request: Request | None = None) -> Session:
        """Several deeds run side by side, each with a run of its own; fleet and journal are shared.

        A line that names nodes of its own gets a fleet beside the console's, which lasts as long.
        """
        own = beside(self.session, request.given if request else {})
        if own.fleet is not self.session.fleet:
            self._fleets.append(own.fleet)
        return own

    def start(self, task: Task, run: Callable[[Task], Awaitable[None]]) -> Task:
        """`run` does the task from now on, beside the views."""
        for old in [old for old in self.tasks if not old.running][:-KEPT]:
            self.tasks.remove(old)
        self.tasks.append(task)
        task.handle = asyncio.create_task(self._live(task, run), name=" ".join(task.words))
        return task

    async def _live(self, task: Task, run: Callable[[Task], Awaitable[None]]) -> None:
        try:
            await run(task)
            task.state = TaskState(state_of(task.answer or Answer()).value)
        except asyncio.CancelledError:
            task.state, task.error = TaskState.CANCELLED, Cancelled("cancelled in the console")
            raise
        except Stopped as error:
            task.state, task.error = TaskState.CANCELLED, error
        except SparkError as error:
            task.state, task.error = TaskState(ended_as(error.exit_code).value), error
        except Exception as error:  # noqa: BLE001 - the edge of a job: the console goes on and says what broke
            cause = f"a defect of sparkconsole: {type(error).__name__}: {error}"
            hint = "what ran on the nodes is not touched"
            task.state, task.error = TaskState.FAILED, SparkError(cause, hint=hint)
        finally:
            task.ended_s = task.clock.monotonic()
            if task.state is TaskState.DONE:
                task.steps = job_ends(task.steps, done=True)
            task.version += 1
            with suppress(asyncio.CancelledError):
                # `node add` and the like make another cluster: from now on everybody works with that one.
                if task.session is not None and task.session.cluster is not task.cluster:
                    await take_over(self.session, task.session)
                await self.look_back()
                await self._face.ended(task)
                self._remove_marks_later(task.session)

    def _remove_marks_later(self, session: Session | None) -> None:
        """Those of a run that ended while a node of it was lost."""
        if session is not None and session.run is not None and session.marked:
            removing = remove_marks_later(session.fleet, session.run, session.marked)
            self._later.append(asyncio.create_task(removing, name="marks"))


@dataclass(frozen=True, slots=True)
class ConsolePresenter:
    """Opens windows over the view, and gives work that goes on beside it; None where nothing does."""

    work: Work
    face: Face
    session: Session
    request: Request
    words: Sequence[str]
    shown: bool

    def answer(self, answer: Answer) -> None:
        """In a window; with `--json` behind the words, what a program would be given."""
        if self.request.given.get("json"):
            text = json.dumps(redact_data(answer.data), indent=2, ensure_ascii=False, default=str)
            answer = Answer(answer.data, (text,), answer.exit_code)
        self.face.show_answer(self.words, answer)

    async def rows(self, rows: AsyncIterator[Row]) -> Task:
        """Work of its own, until the stream ends."""
        task = self.work.start(self._task(self.words, None), partial(_stream, rows))
        self.face.show_task(task)
        return task

    async def dry_run(self, plan: Plan) -> None:
        """The plan, which is only shown."""
        await self.face.confirm(self.request.words, plan, dry_run=True)

    async def ask(self, plan: Plan, before: Plan | None) -> bool:
        """The plan in a window that asks."""
        return await self.face.confirm(self.request.words, plan, before)

    def declined(self, _: Plan) -> None:
        """They know."""

    async def run_action(self, action: PlannedAction, run: Callable[[Report], Awaitable[Answer]]) -> Task:
        """Begins it, beside the views."""

        async def act(task: Task) -> None:
            task.answer = await run(task.hear)

        task = self.work.start(self._task(action.words or self.request.words, action.plan), act)
        if self.shown:
            self.face.show_task(task)
        return task

    def _task(self, words: Sequence[str], plan: Plan | None) -> Task:
        clock, cluster = self.session.fleet.clock, self.session.cluster
        return Task(tuple(words), plan, clock, clock.monotonic(), session=self.session, cluster=cluster)


async def _stream(rows: AsyncIterator[Row], task: Task) -> None:
    hidden = LineRedactor()
    async for row in rows:
        if "exit" in row.data:
            task.answer = Answer({"exit": row.data["exit"]}, (), int(row.data["exit"]))
        for line in row.text.splitlines():
            task.output.append(log_line(hidden(line)))
        task.version += 1


def _cut_soon(fleets: Iterable[Fleet]) -> None:
    for fleet in fleets:
        fleet.cut_soon()
