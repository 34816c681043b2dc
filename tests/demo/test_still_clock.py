"""Time that stands still until it is moved: who waits is woken in order, and acts before it moves on."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from sparkconsole.demo.clock import DemoClock
from sparkconsole.demo.cluster import pretend
from sparkconsole.remote.docker.engine import containers
from tests.still_clock import STILL_START, StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


async def waits(clock: StillClock, said: list[str], *naps: tuple[float, str]) -> None:
    for seconds, word in naps:
        await clock.sleep(seconds)
        said.append(f"{word} at {clock.monotonic():g}")


async def test_nothing_happens_until_time_is_moved(clock: StillClock) -> None:
    said: list[str] = []
    task = asyncio.create_task(waits(clock, said, (1, "one")))
    await asyncio.sleep(0.02)
    assert said == []
    await clock.advance(0.999)
    assert said == []
    await clock.advance(0.001)
    assert said == ["one at 1"]
    await task


async def test_sleepers_wake_in_the_order_of_their_times(clock: StillClock) -> None:
    said: list[str] = []
    tasks = [
        asyncio.create_task(waits(clock, said, (3, "late"))),
        asyncio.create_task(waits(clock, said, (1, "a"), (1, "b"), (2, "c"))),
        asyncio.create_task(waits(clock, said, (1, "too"))),
    ]
    await clock.advance(10)
    assert said == ["a at 1", "too at 1", "b at 2", "late at 3", "c at 4"]
    assert clock.monotonic() == 10
    assert clock.now() == STILL_START + timedelta(seconds=10)
    await asyncio.gather(*tasks)


async def test_who_was_cancelled_wakes_nobody_and_harms_nobody(clock: StillClock) -> None:
    said: list[str] = []
    gone = asyncio.create_task(waits(clock, said, (1, "gone")))
    there = asyncio.create_task(waits(clock, said, (2, "there")))
    await asyncio.sleep(0)
    gone.cancel()
    await clock.advance(2)
    assert said == ["there at 2"]
    await asyncio.gather(gone, there, return_exceptions=True)


async def test_no_time_at_all_lets_others_run(clock: StillClock) -> None:
    await clock.sleep(0)
    assert clock.monotonic() == 0


async def test_work_in_a_thread_is_done_before_time_moves_on(clock: StillClock) -> None:
    said: list[str] = []
    go = threading.Event()

    async def work() -> None:
        await asyncio.to_thread(go.wait, 5)
        said.append(f"done at {clock.monotonic():g}")

    tasks = [asyncio.create_task(work()), asyncio.create_task(waits(clock, said, (1, "one")))]
    asyncio.get_running_loop().call_later(0.03, go.set)
    await clock.advance(1)
    assert said == ["done at 0", "one at 1"]
    await asyncio.gather(*tasks)


async def test_questions_over_sockets_are_answered_before_time_moves_on(clock: StillClock) -> None:
    cluster = pretend(1, clock=clock)
    shell = await cluster.connect(cluster.cluster.nodes[0])
    said: list[str] = []

    async def asks() -> None:
        for _ in range(3):
            await containers(shell)
        said.append(f"answered at {clock.monotonic():g}")

    tasks = [asyncio.create_task(asks()), asyncio.create_task(waits(clock, said, (1, "one")))]
    await clock.advance(1)
    assert said == ["answered at 0", "one at 1"]
    await asyncio.gather(*tasks)
    await shell.aclose()


async def test_a_running_clock_is_as_quick_as_it_is_told() -> None:
    quick = DemoClock(speed=1000)
    began = quick.monotonic()
    await quick.sleep(10)
    assert quick.monotonic() - began >= 10
    assert (quick.now() - STILL_START).total_seconds() > 0
