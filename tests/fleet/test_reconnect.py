"""The keeper: asked once a session, made again when lost, with pauses that grow and never for a bad key."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import islice

import pytest

from sparkconsole.errors import ChangedHostKey, SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.reconnect import Keeper, pauses
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Shell
from tests.line_shell import LineShell

NODE = Node(name="spark1", address="192.0.2.1")


class Line(LineShell):
    """A connection that can be cut."""

    def __init__(self) -> None:
        super().__init__("spark1")


class Network:
    """Answers connection attempts with what it was told to; the last answer stays."""

    def __init__(self, *answers: Exception | Line) -> None:
        self.answers, self.attempts = list(answers), 0

    async def connect(self, node: Node) -> Shell:
        self.attempts += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Hurried:
    """A clock whose sleepers wake in their order at once, as many as the test lets pass."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        wake = self.time + seconds
        self.slept.append(seconds)
        while self.time < wake:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.time += 0.25


def keeper(network: Network, clock: Hurried | None = None) -> Keeper:
    return Keeper(NODE, network.connect, clock or Hurried(), jitter=lambda: 0.0)


def down() -> Unreachable:
    return Unreachable("no route to host", hint="is it switched on?")


def test_pauses_grow_to_half_a_minute_and_jitter_only_shortens() -> None:
    assert list(islice(pauses(lambda: 0.0), 7)) == [1, 2, 4, 8, 16, 30, 30]
    assert list(islice(pauses(lambda: 1.0), 3)) == pytest.approx([0.8, 1.6, 3.2])


async def test_many_questions_are_one_login() -> None:
    network = Network(Line())
    keep = keeper(network)
    shells = await asyncio.gather(*(keep.shell() for _ in range(10)))
    assert (len(set(map(id, shells))), network.attempts) == (1, 1)


async def test_an_unreachable_node_is_tried_once_a_session() -> None:
    network = Network(down())
    keep = keeper(network)
    for _ in range(3):
        with pytest.raises(Unreachable) as caught:
            await keep.shell()
        assert caught.value.node == "spark1"
    assert network.attempts == 1


async def test_waiting_goes_on_until_the_node_is_back() -> None:
    line, clock = Line(), Hurried()
    network = Network(down(), down(), down(), line)
    keep = keeper(network, clock)
    assert await keep.reconnected(600) is line
    assert [s for s in clock.slept if s != 600] == [1, 2, 4]
    assert await keep.shell() is line
    assert keep.next_attempt_s is None


async def test_the_next_attempt_is_announced() -> None:
    class Frozen(Hurried):
        async def sleep(self, seconds: float) -> None:
            await asyncio.Event().wait()

    keep = keeper(Network(down()), Frozen())
    waiter = asyncio.create_task(keep.reconnected(600))
    for _ in range(10):
        await asyncio.sleep(0)
    assert keep.next_attempt_s == 1
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert keep.next_attempt_s is None


async def test_the_deadline_ends_the_waiting_and_says_why() -> None:
    network = Network(down())
    with pytest.raises(Unreachable, match="within 10 s: no route to host") as caught:
        await keeper(network).reconnected(10)
    assert (caught.value.hint, caught.value.node) == ("is it switched on?", "spark1")
    attempts = network.attempts
    for _ in range(50):
        await asyncio.sleep(0)
    assert network.attempts == attempts


async def test_a_changed_host_key_is_not_tried_again() -> None:
    network = Network(ChangedHostKey("another key"))
    with pytest.raises(ChangedHostKey):
        await keeper(network).reconnected(600)
    assert network.attempts == 1


async def test_two_who_wait_share_the_attempts() -> None:
    line = Line()
    network = Network(down(), down(), line)
    keep = keeper(network)
    assert await asyncio.gather(keep.reconnected(600), keep.reconnected(600)) == [line, line]
    assert network.attempts == 3


async def test_a_connection_that_another_hand_made_again_is_kept() -> None:
    broken, fresh = Line(), Line()
    network = Network(broken, fresh)
    keep = keeper(network)
    await keep.shell()
    broken.cut = True
    assert await keep.reconnected(60) is fresh
    assert await keep.reconnected(60) is fresh
    assert network.attempts == 2
    assert broken.closed_by_us
    assert not fresh.closed_by_us


async def test_only_the_connection_that_broke_is_forgotten() -> None:
    broken, fresh = Line(), Line()
    keep = keeper(Network(broken, fresh))
    assert await keep.shell() is broken
    keep.lost(broken)
    assert await keep.shell() is fresh
    keep.lost(broken)
    assert await keep.shell() is fresh


async def test_a_connection_that_broke_under_a_question_is_made_again_for_the_next() -> None:
    broken, fresh = Line(), Line()
    network = Network(broken, fresh)

    async def question(shell: Shell) -> int | None:
        return (await shell.run(("true",))).status

    async with Fleet(Cluster(nodes=(NODE,)), network.connect, Hurried()) as fleet:
        await fleet.shell("spark1")
        broken.cut = True
        assert isinstance((await fleet.ask(question))["spark1"], SparkError)
        assert await fleet.ask(question) == {"spark1": 0}
    assert broken.closed_by_us
    assert fresh.closed_by_us


async def test_a_refusal_can_be_forgiven_and_a_connection_is_kept_then() -> None:
    network = Network(down(), Line())
    keep = keeper(network)
    for _ in range(2):
        with pytest.raises(Unreachable):
            await keep.shell()
    assert network.attempts == 1
    keep.forgive()
    shell = await keep.shell()
    keep.forgive()
    assert await keep.shell() is shell
    assert network.attempts == 2


async def test_what_nobody_saw_end_is_named_once_also_over_a_new_connection() -> None:
    first, second = LocalShell("spark1"), LocalShell("spark1")
    shells = iter((first, second))

    async def connect(_: Node) -> Shell:
        return next(shells)

    keeper = Keeper(NODE, connect, Hurried())
    assert await keeper.shell() is first
    first.unended.append((("sleep", "9"), 3600.0))
    keeper.lost(first)
    assert await keeper.shell() is second
    second.unended.append((("sleep", "8"), 60.0))
    assert keeper.take_unended() == [(("sleep", "9"), 3600.0), (("sleep", "8"), 60.0)]
    assert keeper.take_unended() == []
