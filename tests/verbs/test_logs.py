"""`logs` on the pretend cluster: the server's lines are there as in the console, past cuts and restarts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from sparkconsole.config.globals import Options
from sparkconsole.demo.faults import clear, inject
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.errors import SparkError
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.tui.views.cluster.log import sources as pane_sources
from sparkconsole.verbs.grammar import open_session as opening
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.record import execute_action
from sparkconsole.verbs.grammar.session import PlannedAction, Session
from sparkconsole.verbs.logs.logs import logs
from sparkconsole.verbs.logs.sources import log_sources
from tests.still_clock import StillClock

T = TypeVar("T")
MODEL = "Qwen/Qwen3-0.6B"
UP = ("image build", "image copy --to all", "launch", f"serve {MODEL}")


class Operated:
    """A session on pretend machines whose time moves only when told to."""

    def __init__(self, session: Session, clock: StillClock) -> None:
        self.session, self.clock = session, clock
        self.rows: list[Row] = []

    def machine(self, name: str) -> Machine:
        assert self.session.pretend is not None
        return self.session.pretend.machines[name]

    async def through(self, action: Awaitable[T]) -> T:
        task = asyncio.ensure_future(action)
        while not task.done():
            await self.clock.advance(1)
        return task.result()

    async def does(self, *lines: str) -> None:
        for line in lines:
            result = await self.through(begin(self.session, understand(line.split())))
            if isinstance(result, PlannedAction):
                result = await self.through(
                    execute_action(self.session, line.split(), result, lambda _: None)
                )
            assert isinstance(result, Answer)
            assert result.exit_code == 0, (line, result)

    async def said(self, *words: str, tail: int | None = None) -> list[Row]:
        async def collected() -> list[Row]:
            return [row async for row in await logs(self.session, *words, tail=tail)]

        return await self.through(collected())

    @asynccontextmanager
    async def following(self, *words: str) -> AsyncIterator[list[Row]]:
        """The rows that `logs -f` prints, growing while time moves on."""
        rows: list[Row] = []

        async def read() -> None:
            async with aclosing(await logs(self.session, *words, follow=True)) as coming:  # type: ignore[type-var]
                async for row in coming:
                    rows.append(row)

        reading = asyncio.create_task(read())
        try:
            await self.clock.advance(10)
            yield rows
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operated]:
    monkeypatch.setattr(opening, "_demo_state", lambda *_: tmp_path / "state")
    clock = StillClock()
    async with opening.open_session(Options(demo=2, yes=True), time=clock) as session:
        yield Operated(session, clock)


def texts(rows: list[Row], source: str = "serve") -> list[str]:
    return [row.data["text"] for row in rows if row.data["source"] == source and "text" in row.data]


async def test_a_ready_server_is_in_the_logs_of_both_faces(demo: Operated) -> None:
    await demo.does(*UP)
    everything = await demo.said()
    assert {row.data["source"] for row in everything} == {"container", "serve"}
    served = texts(await demo.said("serve"))
    assert any("Application startup complete" in line for line in served)
    assert served == texts(everything)
    spoken = texts(await demo.said("nccl"))
    assert spoken == [line for line in served if "NCCL" in line]
    assert len(spoken) > 3
    assert texts(await demo.said("nccl", tail=2)) == spoken[-2:], "the last of what speaks of it"
    both = [s.key for s in log_sources(demo.session, "all", demo.session.fleet.names)]
    assert [s.key for s in pane_sources(demo.session)] == both
    assert any(key.startswith("job serve") for key in both)


async def test_a_node_is_its_container_and_its_rank(demo: Operated) -> None:
    await demo.does(*UP)
    assert {r.data["source"] for r in await demo.said("spark-01")} == {"container", "serve"}
    assert {r.node for r in await demo.said("spark-02")} == {"spark-02"}


async def test_a_cut_link_is_said_at_once_and_again_and_nothing_is_lost_or_doubled(demo: Operated) -> None:
    await demo.does(*UP)
    async with demo.following() as rows:
        before = len(texts(rows))
        assert before
        inject(demo.machine("spark-01"), "cut")
        await demo.clock.advance(8)
        first = [r for r in rows if "error" in r.data]
        assert {r.node for r in first} == {"spark-01"}
        assert {r.data["source"] for r in first} == {"container", "serve"}
        assert all("resumes when the node returns" in r.text for r in first)
        await demo.clock.advance(40)
        waits = [r.text for r in rows if "still waiting" in r.text]
        assert len(waits) == 3, waits
        assert all("spark-01" in text and "serve" in text for text in waits), waits
        clear(demo.machine("spark-01"))
        await demo.clock.advance(90)
        assert any("resumed after" in r.text for r in rows)
        after = texts(rows)
        assert len(after) > before
    whole = texts(await demo.said("serve"))
    assert after == whole[: len(after)], "every line once, in its order"
    printed = Counter(
        (r.node, r.data["text"]) for r in rows if r.data["source"] == "container" and "text" in r.data
    )
    assert set(printed.values()) == {1}


async def test_a_server_that_is_served_again_is_followed(demo: Operated) -> None:
    await demo.does(*UP)
    async with demo.following("serve") as rows:
        await demo.does("serve stop")
        await demo.clock.advance(10)
        assert any("the next start will be followed" in r.text for r in rows)
        first = {r.data["job"] for r in rows}
        await demo.does(f"serve {MODEL}")
        await demo.clock.advance(10)
        jobs = {r.data["job"] for r in rows}
        assert len(jobs) == 2
        fresh = [r.data["text"] for r in rows if r.data["job"] not in first and "text" in r.data]
    assert fresh == texts(await demo.said("serve"))[: len(fresh)], "its lines, and only the newest start's"


@pytest.mark.parametrize("wait", [False, True], ids=["printed", "followed"])
async def test_a_cluster_that_nobody_launched_raises_no_alarm(demo: Operated, wait: bool) -> None:
    if wait:
        async with demo.following() as rows:
            await demo.clock.advance(10)
    else:
        rows = await demo.said()
    assert {r.node for r in rows} == {"spark-01", "spark-02"}
    assert all("no container vllm_node here: nothing is launched" in r.text for r in rows)
    assert not [r for r in rows if "✖" in r.text or "error" in r.data]


async def test_containers_that_are_started_anew_are_followed(demo: Operated) -> None:
    await demo.does(*UP[:3])
    async with demo.following() as rows:
        had = len(texts(rows, "container"))
        await demo.does("stop")
        await demo.clock.advance(10)
        assert {r.node for r in rows if "no container vllm_node" in r.text} == {"spark-01", "spark-02"}
        assert len([r for r in rows if "no container" in r.text]) == 2, "said once"
        await demo.does("launch")
        await demo.clock.advance(10)
        assert len(texts(rows, "container")) == 2 * had


async def test_a_server_that_failed_has_its_log_or_says_where_it_is(demo: Operated) -> None:
    await demo.does(*UP[:3])
    result = await demo.through(begin(demo.session, understand(["serve", MODEL])))
    assert isinstance(result, PlannedAction)
    carrying = asyncio.ensure_future(execute_action(demo.session, ["serve", MODEL], result, lambda _: None))
    await demo.clock.advance(5)
    inject(demo.machine("spark-01"), "oom")
    with pytest.raises(SparkError):
        await demo.through(carrying)
    rows = await demo.said("serve")
    assert rows, "a start that failed is not silence"
    assert all("text" in r.data or "runs show --output" in r.text for r in rows)
