"""Leaving beside a node that does not answer: a look waits for no node, a deed ends in order and says so.

The node is a connection whose commands never end; a frozen sshd is stopped in tests/remote/test_ssh.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sparkconsole.fleet import fleet as fleets
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.plan import Plan
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.live_shell import LiveShell
from sparkconsole.remote.shell import Completed, Endpoint, Pipe
from sparkconsole.script.ending import looked
from sparkconsole.tui import work as works
from sparkconsole.tui.task import Task
from tests.tui.test_work import Person, at_work


class Frozen(LiveShell):
    """Answers nothing, and is not closed, before it is cut."""

    def __init__(self, node: str = "spark1") -> None:
        super().__init__(node)
        self.over = asyncio.Event()

    def cut(self) -> None:
        self.over.set()

    async def _answer(
        self, argv: Sequence[str], given: bytes, timeout: float, secrets: tuple[str, ...]
    ) -> Completed:
        await self.over.wait()
        return Completed(self.node, tuple(argv), None)

    async def _pipe(self, argv: Sequence[str]) -> Pipe:
        raise NotImplementedError

    async def open_socket(self, target: str) -> Endpoint:
        raise NotImplementedError

    async def aclose(self) -> None:
        await self.over.wait()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Frozen:
    monkeypatch.setattr(fleets, "TIDY_S", 0.01)
    return Frozen()


def beside(shell: Frozen) -> Fleet:
    async def connect(_: Node) -> Frozen:
        return shell

    return Fleet(Cluster(name="lab", nodes=(Node(name="spark1", address="192.0.2.1"),)), connect)


async def tidying(shell: Frozen, asks: asyncio.Event) -> int:
    """Asks it for an end before it ends itself."""
    try:
        asks.set()
        await asyncio.Event().wait()
    finally:
        await shell.run(("kill", "it"))
    return 0


async def test_a_fleet_closes_whatever_its_connections_do(shell: Frozen) -> None:
    async with beside(shell) as fleet:
        await fleet.shell("spark1")
    assert shell.over.is_set()


async def test_a_look_that_is_cancelled_waits_for_no_node(shell: Frozen) -> None:
    async with beside(shell) as fleet:
        await fleet.shell("spark1")
        asks = asyncio.Event()
        looking = asyncio.create_task(looked(tidying(shell, asks), fleet))
        await asks.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking


@pytest.mark.parametrize("deed", [False, True])
async def test_the_console_lets_a_look_go_and_waits_for_a_deed_aloud(
    shell: Frozen, monkeypatch: pytest.MonkeyPatch, *, deed: bool
) -> None:
    monkeypatch.setattr(works, "SAY_S", 0.05)
    said: list[str] = []

    def tell(_: str, text: str) -> None:
        said.append(text)
        shell.cut()  # the deed's end came

    async with beside(shell) as fleet, at_work(Person()) as work:
        await fleet.shell("spark1")
        work._fleets.append(fleet)
        asks = asyncio.Event()

        async def doing(_: Task) -> None:
            await tidying(shell, asks)

        plan = Plan("stop it", (), Tier.RECOVERABLE) if deed else None
        work.start(Task(("node", "exec"), plan), doing)
        await asks.wait()
        await work.aclose(tell)
    assert [text.partition(",")[0] for text in said] == ["waiting for the end of node exec"] * deed
