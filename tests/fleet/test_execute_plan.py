"""Plans carried out by real commands on this machine: their order, what is taken back, what is read back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import follow_job, forget_job
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.news import News, Remark, StepBegan, StepEnded, nobody
from sparkconsole.model.work.plan import Plan, Step, Verification
from sparkconsole.remote.local import LocalShell


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async def connect(node: Node) -> LocalShell:
        if node.name == "gone":
            raise Unreachable("no route to it", hint="is it on?", node=node.name)
        return LocalShell(node.name)

    nodes = tuple(Node(name=name, address=name) for name in ("spark1", "spark2", "gone"))
    async with Fleet(Cluster(nodes=nodes), connect) as fleet:
        yield fleet


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    path = tmp_path / "diary"
    path.touch()
    return path


def wrote(diary: Path) -> list[str]:
    return diary.read_text().split()


def write(diary: Path, word: str) -> tuple[str, ...]:
    return ("sh", "-c", 'echo "$2" >>"$1"', "write", str(diary), word)


def step(diary: Path, id_: str, *needs: str, node: str = "spark1") -> Step:
    return Step(id_, node, f"do {id_}", write(diary, id_), needs=needs, undo=write(diary, f"un{id_}"))


def failing(id_: str, *needs: str) -> Step:
    return Step(id_, "spark2", f"fail {id_}", ("sh", "-c", "echo broken >&2; exit 9"), needs=needs)


async def test_steps_wait_for_what_they_need(fleet: Fleet, diary: Path) -> None:
    steps = (step(diary, "c", "a", "b"), step(diary, "b", "a", node="spark2"), step(diary, "a"))
    news: list[News] = []
    outcome = await execute_plan(fleet, Plan("order", steps), news.append)
    assert outcome.ok
    assert wrote(diary) == ["a", "b", "c"]
    assert [n.sentence for n in news if isinstance(n, StepBegan)] == ["do a", "do b", "do c"]
    assert [n.outcome.ok for n in news if isinstance(n, StepEnded)] == [True] * 3


async def test_steps_without_needs_run_side_by_side(fleet: Fleet, tmp_path: Path) -> None:
    """Each waits for the other's file: one after the other they would never end."""
    meet = 'touch "$1/$2"; while [ ! -e "$1/$3" ]; do sleep 0.02; done'
    steps = tuple(
        Step(mine, "spark1", mine, ("sh", "-c", meet, "meet", str(tmp_path), mine, other), timeout_s=20)
        for mine, other in (("x", "y"), ("y", "x"))
    )
    assert (await execute_plan(fleet, Plan("meet", steps), nobody)).ok


async def test_a_failure_takes_back_what_was_done_newest_first(fleet: Fleet, diary: Path) -> None:
    steps = (step(diary, "a"), step(diary, "b", "a"), failing("c", "b"), step(diary, "d", "c"))
    news: list[News] = []
    outcome = await execute_plan(fleet, Plan("fails", steps), news.append)
    assert wrote(diary) == ["a", "b", "unb", "una"]
    assert not outcome.ok
    (failure,) = outcome.failures()
    assert (failure.step.id, failure.step.node) == ("c", "spark2")
    assert "status 9: broken" in failure.detail
    assert [n.text for n in news if isinstance(n, Remark)] == ["taken back: do b", "taken back: do a"]


async def test_what_could_not_be_taken_back_is_told_and_the_rest_is(fleet: Fleet, diary: Path) -> None:
    stuck = Step("b", "spark1", "do b", ("true",), needs=("a",), undo=("false",))
    news: list[News] = []
    await execute_plan(fleet, Plan("fails", (step(diary, "a"), stuck, failing("c", "b"))), news.append)
    assert wrote(diary) == ["a", "una"]
    told = [n for n in news if isinstance(n, Remark) and n.level == "error"]
    assert ["do b" in n.text for n in told] == [True]


async def test_a_step_is_done_when_its_effect_was_read_back(fleet: Fleet, diary: Path) -> None:
    lying = Step(
        "a", "spark1", "say so", ("true",), verify=Verification("it is there", ("cat", str(diary)), "a")
    )
    outcome = await execute_plan(fleet, Plan("lies", (lying,)), nobody)
    assert "it is there: not so" in outcome.failures()[0].detail
    true = Step("a", "spark1", "do it", write(diary, "a"), verify=lying.verify)
    assert (await execute_plan(fleet, Plan("true", (true,)), nobody)).ok


async def test_a_node_that_is_gone_fails_its_step_and_nothing_goes_on(fleet: Fleet, diary: Path) -> None:
    steps = (step(diary, "a"), step(diary, "b", "a", node="gone"), step(diary, "c", "b"))
    outcome = await execute_plan(fleet, Plan("gone", steps), nobody)
    assert outcome.failures()[0].detail == "no route to it — is it on?"
    assert wrote(diary) == ["a", "una"]


async def test_a_step_whose_end_was_not_seen_has_not_failed(fleet: Fleet, diary: Path) -> None:
    """The connection went with the command, or before it: done or not is unknown, and so is said."""
    gone = await execute_plan(fleet, Plan("gone", (step(diary, "a", node="gone"),)), nobody)
    assert [(o.word, o.unseen) for o in gone.failures()] == [("unknown", True)]
    assert gone.unseen
    failing = Step("a", "spark1", "fail", ("false",))
    failed = await execute_plan(fleet, Plan("fails", (failing,)), nobody)
    assert [(o.word, o.unseen) for o in failed.failures()] == [("failed", False)]
    assert not failed.unseen


KILLED = ("sh", "-c", "kill -9 $$")


@pytest.mark.parametrize(("there", "word"), [("true", "done"), ("false", "failed")])
async def test_of_a_command_that_was_killed_the_effect_is_looked_at(
    fleet: Fleet, there: str, word: str
) -> None:
    proved = Step("a", "spark1", "do a", KILLED, verify=Verification("a is there", (there,)))
    [end] = (await execute_plan(fleet, Plan("t", (proved,)), lambda _: None)).outcomes
    assert end.word == word


async def test_a_command_that_was_killed_and_has_no_proof_failed(fleet: Fleet) -> None:
    [end] = (
        await execute_plan(fleet, Plan("t", (Step("a", "spark1", "do a", KILLED),)), lambda _: None)
    ).outcomes
    assert (end.word, end.detail) == ("failed", "`sh -c 'kill -9 $$'` was killed by SIGKILL")


async def test_a_step_that_takes_long_says_that_it_is_under_way(
    fleet: Fleet, diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkconsole.fleet.waiting.AGAIN_S", 0.05)
    go, heard = diary.parent / "go", list[str]()

    def hear(news: News) -> None:
        if isinstance(news, Remark) and "under way for" in news.text:
            heard.append(f"{news.node}: {news.text.partition(':')[0]}")
            go.touch()

    slow = Step("a", "spark1", "end it", ("sh", "-c", f"until [ -e {go} ]; do sleep 0.01; done"))
    assert (await execute_plan(fleet, Plan("slow", (slow,)), hear)).ok
    assert heard[0] == "spark1: end it"


async def test_cancelling_ends_the_step_and_takes_back(fleet: Fleet, diary: Path) -> None:
    began = asyncio.Event()

    def report(news: News) -> None:
        if isinstance(news, StepBegan) and news.sentence == "hang":
            began.set()

    hang = Step(
        "b", "spark1", "hang", ("sleep", "300"), needs=("a",), undo=write(diary, "unb"), timeout_s=600
    )
    running = asyncio.create_task(execute_plan(fleet, Plan("hang", (step(diary, "a"), hang)), report))
    async with asyncio.timeout(20):
        await began.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert wrote(diary) == ["a", "unb", "una"]


async def test_text_and_secrets_are_fed_and_unset_ones_left_out(
    fleet: Fleet, diary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_1")
    monkeypatch.delenv("OTHER_TOKEN", raising=False)
    argv = ("sh", "-c", '{ echo "$HF_TOKEN"; echo "${OTHER_TOKEN-unset}"; cat; } >"$1"', "keep", str(diary))
    fed = Step("a", "spark1", "feed", argv, stdin="ü text", secrets=("HF_TOKEN", "OTHER_TOKEN"))
    assert (await execute_plan(fleet, Plan("feed", (fed,)), nobody)).ok
    assert wrote(diary) == ["hf_1", "unset", "ü", "text"]


async def test_a_step_that_is_a_job_is_done_when_it_started(fleet: Fleet, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    argv = ("sh", "-c", f"while [ ! -e '{gate}' ]; do sleep 0.02; done; echo end")
    job = Job(id="bench-1", node="spark1", kind=JobKind.BENCH, argv=argv)
    assert (await execute_plan(fleet, Plan("job", (Step("a", "spark1", "begin", argv, job=job),)), nobody)).ok
    gate.touch()
    async with asyncio.timeout(20):
        assert [line async for line in follow_job(fleet, job)] == ["end"]
    await forget_job(fleet, job)
