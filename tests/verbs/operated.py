"""A session on pretend machines whose time moves only when told to: words in, answers out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo.cluster import Pretend
from sparkconsole.errors import SparkError
from sparkconsole.model.work.answer import Answer, Row, Sheet
from sparkconsole.model.work.news import News, Report
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.session import PlannedAction, Session
from tests.still_clock import StillClock

MODEL = "Qwen/Qwen3-0.6B"
Result = TypeVar("Result")


class Operated:
    """What a person says to a cluster, line by line."""

    def __init__(self, session: Session, clock: StillClock) -> None:
        self.session, self.clock, self.news = session, clock, list[News]()

    @property
    def pretend(self) -> Pretend:
        """The machines themselves."""
        assert self.session.pretend is not None
        return self.session.pretend

    async def says(self, line: str) -> Answer:
        """The answer, however much of the pretend time it takes."""
        return await self._until(self._says(line))

    async def answer_or_error(self, line: str) -> Answer:
        """The same, where an error is an answer too."""
        try:
            return await self.says(line)
        except SparkError as error:
            return Answer({"error": error.as_data()}, (str(error),), error.exit_code)

    async def planned(self, line: str) -> PlannedAction:
        """What a line would do."""
        action = await self._until(begin(self.session, understand(line.split())))
        assert isinstance(action, PlannedAction)
        return action

    async def carries(self, words: Sequence[str], action: PlannedAction, report: Report) -> Answer:
        """Does it, in the pretend time that it takes."""
        return await self._until(execute_action(self.session, words, action, report))

    async def _until(self, work: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.ensure_future(work)
        while not task.done():
            await self.clock.advance(1)
        return task.result()

    async def _says(self, line: str) -> Answer:
        result = await begin(self.session, understand(line.split()))
        if isinstance(result, PlannedAction):
            return await execute_action(self.session, line.split(), result, self.news.append)
        if isinstance(result, Answer):
            return result
        rows: list[Row] = [row async for row in result]
        code = next((int(r.data["exit"]) for r in reversed(rows) if "exit" in r.data), 0)
        return Answer({"rows": [dict(row.data) for row in rows]}, tuple(row.text for row in rows), code)


@asynccontextmanager
async def operated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int = 2
) -> AsyncIterator[Operated]:
    """`count` pretend machines, and a journal of their own."""
    monkeypatch.setattr(opening, "_demo_state", lambda *_: tmp_path / "state")
    clock = StillClock()
    async with opening.open_session(Options(demo=count, yes=True), time=clock) as session:
        yield Operated(session, clock)


def lines(answer: Answer) -> list[str]:
    """What a person reads of it, a row a line."""
    found: list[str] = []
    for part in answer.parts:
        found += [" ".join(row) for row in part.rows] if isinstance(part, Sheet) else part.splitlines()
    return found


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operated]:
    """Two pretend nodes that have the image."""
    async with operated(tmp_path, monkeypatch) as made:
        made.pretend.machines["spark-01"].built(["vllm-node"])
        [held] = made.pretend.machines["spark-01"].images.values()
        made.pretend.machines["spark-02"].take("vllm-node", held)
        yield made
