"""`serve keep` on the pretend cluster: what ended is served again, within its budget, until it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo import stories
from sparkconsole.demo.faults import inject
from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.fleet.serve.status import ServerStatus, serve_status
from sparkconsole.model.serve import restart_budget as keeping
from sparkconsole.model.work.answer import Answer
from sparkconsole.model.work.news import News, Remark
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.session import PlannedAction, Session
from sparkconsole.verbs.serve import keep as serve_keep

MODEL = "openai/gpt-oss-120b"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stories, "SERVE_S", 0.5)
    monkeypatch.setattr(keeping, "FIRST_REST_S", 0.0)


@asynccontextmanager
async def served() -> AsyncIterator[Session]:
    """Two pretend nodes that serve a model."""
    async with open_session(Options(demo=2)) as session:
        assert session.pretend is not None
        first, second = session.pretend.machines.values()
        first.built(["vllm-node"])
        second.take("vllm-node", first.image("vllm-node") or {})
        await done(session, "launch")
        await done(session, "serve", MODEL)
        yield session


async def done(session: Session, *words: str, told: list[str] | None = None) -> Answer:
    """As a person says it, with a run of its own."""

    def hear(news: News) -> None:
        if told is not None and isinstance(news, Remark):
            told.append(f"{news.node} {news.text}".strip())

    result = await begin(session, understand(words))
    result = (
        await execute_action(session, words, result, hear) if isinstance(result, PlannedAction) else result
    )
    assert isinstance(result, Answer)
    return result


async def until(told: Sequence[str], words: str) -> None:
    async with asyncio.timeout(20):
        while not any(words in line for line in told):  # noqa: ASYNC110 - the list is the verb's own voice
            await asyncio.sleep(0.02)


def worker_dies(session: Session) -> None:
    """Its container is gone, by nobody's word."""
    assert session.pretend is not None
    session.pretend.machines["spark-02"].end_container("vllm_node", 137)


async def test_what_ended_is_served_again_until_somebody_stops_it() -> None:
    async with served() as session:
        told: list[str] = []
        words = ("serve", "keep", "--every", "0.05")
        keeping_on = asyncio.create_task(done(session, *words, told=told))
        try:
            await until(told, "ready")
            worker_dies(session)
            await until(told, f"restart 1 of 3: serve {MODEL}")
            assert any(line.startswith("spark-02 lost") for line in told), told
            told.clear()
            await until(told, "ready")
            assert (await done(session, "serve", "status")).data["state"] == "ready"
            await done(session, "serve", "stop")
            answer = await asyncio.wait_for(keeping_on, 20)
        finally:
            keeping_on.cancel()
        assert (answer.exit_code, answer.data["state"], answer.data["starts"]) == (0, "stopped", 1)


async def test_a_budget_that_is_used_up_ends_it() -> None:
    async with served() as session:
        told: list[str] = []
        words = ("serve", "keep", "--every", "0.05", "--misses", "2", "--restarts", "1")
        keeping_on = asyncio.create_task(done(session, *words, told=told))
        try:
            await until(told, "ready")
            worker_dies(session)
            await until(told, "restart 1 of 1")
            told.clear()
            await until(told, "ready")
            worker_dies(session)
            answer = await asyncio.wait_for(keeping_on, 20)
        finally:
            keeping_on.cancel()
        assert (answer.exit_code, answer.data["starts"]) == (1, 1)
        assert "all 1 restarts are used up" in str(answer.parts[0])
        assert "spark-02" in str((await done(session, "serve", "status")).data["node"])


async def test_a_node_that_cannot_be_reached_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []

    async def looked(*about: Any) -> ServerStatus:
        found = await serve_status(*about)
        looks.append(found.state.value)
        return found

    monkeypatch.setattr(serve_keep, "serve_status", looked)
    async with served() as session:
        assert session.pretend is not None
        told: list[str] = []
        keeping_on = asyncio.create_task(done(session, "serve", "keep", "--every", "0.05", told=told))
        try:
            await until(told, "ready")
            inject(session.pretend.machines["spark-02"], "lost")
            await until(told, "unknown")
            looks.clear()
            while len(looks) < 6:  # noqa: ASYNC110 - twice as many as would be enough
                await asyncio.sleep(0.02)
            assert not any("start 1" in line for line in told), "what it does is unknown"
            assert not keeping_on.done()
        finally:
            keeping_on.cancel()


async def test_the_plan_says_the_words_and_the_budget() -> None:
    async with served() as session:
        action = await begin(session, understand(("serve", "keep", "--restarts", "2", "--within", "1")))
        assert isinstance(action, PlannedAction)
        notes = " ".join(action.plan.notes)
        assert f"sparkconsole serve {MODEL}" in notes
        assert "at most 2 times in 01:00:00" in notes


async def test_what_cannot_be_kept_is_refused() -> None:
    async with open_session(Options(demo=1)) as session:
        with pytest.raises(Refused, match="not served anything on port 8888"):
            await begin(session, understand(("serve", "keep")))
        with pytest.raises(WrongUsage):
            await begin(session, understand(("serve", "keep", "--every", "0")))
