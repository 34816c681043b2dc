"""A run done again is a new run with the old words; what cannot be done as it was is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.model.work.job import RunState
from sparkconsole.model.work.news import nobody
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.session import Options, PlannedAction, Session
from sparkconsole.verbs.runs.runs import again, compare

WORDS = ("image", "build", "--tag", "mine")


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with open_session(Options(demo=2)) as opened:
        yield opened


async def test_the_same_words_become_a_new_run_with_a_plan_of_its_own(session: Session) -> None:
    old = session.journal.end(session.journal.begin(WORDS, "demo", {}), RunState.FAILED, 1)
    action = await again(session, old.id)
    assert isinstance(action, PlannedAction)
    assert action.words == WORDS
    assert any("-t mine" in " ".join(step.argv) for step in action.plan.steps)
    await execute_action(session, ("runs", "again", old.id), action, nobody)
    new = session.journal.runs()[0]
    assert (new.words, new.state) == (WORDS, RunState.DONE)
    assert new.id != old.id


async def test_secrets_are_not_kept_and_so_not_said_again(session: Session) -> None:
    run = session.journal.begin(("serve", "m", "--api-key", "s3cret-s3cret"), "demo", {})
    with pytest.raises(Refused, match="API_KEY, and secrets are not kept") as caught:
        await again(session, run.id)
    assert "runs export" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "cluster", "why"),
    [
        (("runs", "stop", "x"), "demo", "was about another run"),
        ((), "demo", "was about another run"),
        (WORDS, "elsewhere", "on the cluster elsewhere"),
        (("image", "biuld"), "demo", "there is no verb image biuld"),
    ],
)
async def test_what_cannot_be_done_again_says_why(
    session: Session, words: tuple[str, ...], cluster: str, why: str
) -> None:
    run = session.journal.begin(words, cluster, {})
    with pytest.raises(WrongUsage, match=why):
        await again(session, run.id)


async def test_read_only_does_nothing_again() -> None:
    async with open_session(Options(demo=2, read_only=True)) as session:
        run = session.journal.begin(WORDS, "demo", {})
        with pytest.raises(Refused, match="read-only"):
            await again(session, run.id)


async def test_two_runs_are_compared(session: Session) -> None:
    one = session.journal.end(session.journal.begin(("launch",), "demo", {}), RunState.DONE, 0)
    other = session.journal.end(
        session.journal.begin(("launch", "--backend", "solo"), "demo", {}), RunState.FAILED, 1
    )
    answer = await compare(session, one.id, other.id)
    told = {d["what"]: d["second"] for d in answer.data["differences"]}
    assert told["words"] == "--backend solo"
    assert told["state"] == "failed"
    with pytest.raises(WrongUsage, match="cannot differ from itself"):
        await compare(session, one.id, one.id)
