"""The settle gate waits for memory that comes back, not for what stays away, and never for ever."""

from __future__ import annotations

import asyncio

from sparkconsole.fleet.launch.await_memory import LOOK_S, MemoryAwaited, await_memory
from sparkconsole.model.serve.memory_guard import MemoryReturn
from sparkconsole.model.work.news import Advance, Remark
from tests.pretend_nodes import PretendCluster
from tests.still_clock import StillClock

GIB_KB = 1 << 20


async def settled(pair: PretendCluster, **how: float) -> tuple[dict[str, MemoryAwaited], list[object]]:
    news: list[object] = []
    async with pair.fleet() as fleet:
        fleet.clock = clock = StillClock()
        ends = asyncio.create_task(await_memory(fleet, ("a", "b"), 0.9, news.append, **how))
        while not ends.done():
            await clock.advance(LOOK_S)
        return await ends, news


async def test_enough_is_not_worth_a_word() -> None:
    ends, news = await settled(PretendCluster("a", "b"))
    assert [e.outcome for e in ends.values()] == [MemoryReturn.ENOUGH] * 2
    assert news == []


async def test_one_node_is_waited_for_and_named() -> None:
    pair = PretendCluster("a", "b")
    pair.nodes["b"].frees = [n * GIB_KB for n in (20, 40, 60, 80, 100, 120)]
    ends, news = await settled(pair)
    assert ends["b"].outcome is MemoryReturn.ENOUGH
    assert ends["b"].waited_s >= 5 * 0.75
    remarks = [(n.node, n.text.split(":")[0]) for n in news if isinstance(n, Remark)]
    assert remarks[0] == ("b", "waits for the memory of the earlier server")
    assert next(n.done for n in news if isinstance(n, Advance)) == 40 << 30


async def test_what_does_not_grow_is_told_and_not_waited_for() -> None:
    pair = PretendCluster("a", "b")
    pair.nodes["a"].frees = [20 * GIB_KB]
    ends, news = await settled(pair)
    assert ends["a"].outcome is MemoryReturn.STAYS
    assert ends["a"].waited_s < 10
    assert "it does not grow: it goes on with that" in str(news)


async def test_it_waits_no_longer_than_it_may() -> None:
    pair = PretendCluster("a", "b")
    pair.nodes["a"].frees = [20 * GIB_KB + n * 400_000 for n in range(1000)]
    ends, _ = await settled(pair, most_s=12)
    assert ends["a"].outcome is MemoryReturn.COMES
    assert 12 <= ends["a"].waited_s < 12 + LOOK_S


async def test_a_node_that_cannot_be_asked_holds_nobody_up() -> None:
    pair = PretendCluster("a", "b")
    pair.nodes["b"].lost = True
    ends, news = await settled(pair)
    assert list(ends) == ["a"]
    assert "could not be looked at: no route to it" in str(news)
