"""What nobody can look at is unknown on every screen, and what is old is said to be old.

A pilot shows the words of each view; that a real node is noticed to be silent is tested in tests/real.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.demo.faults import clear, inject
from tests.still_clock import StillClock
from tests.tui.harness import app_of, scene, seen

SIZE = (120, 40)
VIEWS = {"1": "cluster", "2": "logs", "3": "images", "4": "launch", "5": "serve", "6": "bench", "8": "runs"}
NEVER = (
    "● ready",
    "half-running",
    "ray 2/2",
    "same on all",
    "no container",
    "nothing runs",
    "not running",
)
"""Of a served cluster with a node that nobody reaches, or whose Docker is silent."""


class Watched:
    """The console over machines with a fault."""

    def __init__(self, pilot: Pilot[Any], clock: StillClock) -> None:
        self.pilot, self.clock = pilot, clock

    async def waits(self, seconds: int) -> None:
        for _ in range(seconds // 2):
            await self.clock.advance(2)
            await self.pilot.pause()

    async def view(self, key: str, until: Callable[[str], bool] = lambda _: True) -> str:
        app = app_of(self.pilot)
        app.clear_notifications()
        await self.pilot.press(key)
        await self.waits(4)
        return await seen(self.pilot, until)

    def events(self) -> list[str]:
        return [f"{e.source} {e.text}" for e in app_of(self.pilot).store.events]


@asynccontextmanager
async def broken(**faults: str) -> AsyncIterator[Watched]:
    """A cluster that served and measured; then each node (`spark_01`) gets its fault, and 40 s pass."""
    async with scene("measured", size=SIZE) as (pilot, clock):
        session = app_of(pilot).session
        assert session is not None
        assert session.pretend is not None
        for node, fault in faults.items():
            inject(session.pretend.machines[node.replace("_", "-")], fault)
        watched = Watched(pilot, clock)
        await watched.waits(40)
        yield watched


def container_age(text: str) -> str:
    """As the card on the left says it."""
    left = next(line for line in text.splitlines() if line[2:].startswith("cntr ▶ vllm_node "))
    return left[2:].removeprefix("cntr ▶ vllm_node ").split()[0]


@pytest.mark.parametrize("fault", ["cut", "lost", "docker-silent"])
async def test_no_view_says_how_the_server_stands_while_the_head_is_not_seen(fault: str) -> None:
    async with broken(spark_01=fault) as watched:
        wrong = []
        for key, name in VIEWS.items():
            text = await watched.view(key)
            wrong += [(name, word, text) for word in NEVER if word in text]
            assert fault == "docker-silent" or "1/2 up" in text.splitlines()[0]
        assert not wrong, "\n".join(map(str, wrong[0]))


async def test_the_serve_view_says_unknown_and_why() -> None:
    async with broken(spark_01="cut") as watched:
        text = await watched.view("5", lambda t: "unknown" in t)
        assert "no route to host" in text
        assert "tok/s" not in text.partition("unknown")[2].partition("╰")[0]


async def test_last_values_are_marked_as_old_and_do_not_grow_older() -> None:
    async with broken(spark_01="cut") as watched:
        first = await watched.view("1", lambda t: "last seen" in t)
        lasted = container_age(first)
        await watched.waits(120)
        text = await watched.view("1", lambda t: "last seen 2m" in t)
        assert container_age(text) == lasted
        await watched.pilot.press("enter")
        assert "what follows is from" in await seen(watched.pilot, lambda t: "spark-01 · HEAD" in t)


async def test_a_worker_that_is_only_not_reached_has_not_lost_its_rank() -> None:
    async with broken(spark_02="cut") as watched:
        told = [event for event in watched.events() if event.startswith("spark-02")]
        assert not [event for event in told if "lost its rank" in event]
        assert [event for event in told if "has its rank here still is unknown" in event]
        text = await watched.view("4")
        assert "? vllm_node runs on the 1 of 2 that answer (ray)" in text
        assert "spark-02 is unknown: 10.77.0.12: no route to host" in text
        assert "ray 1/2, 1 unknown" in text
        session = app_of(watched.pilot).session
        assert session is not None
        assert session.pretend is not None
        clear(session.pretend.machines["spark-02"])
        await watched.waits(60)
        assert [e for e in watched.events() if e.endswith("has its rank here still")], watched.events()[-5:]


async def test_a_silent_docker_is_named_where_its_words_are_missed() -> None:
    async with broken(spark_01="docker-silent", spark_02="gpu-silent") as watched:
        text = await watched.view("1")
        assert "spark-01: docker does not answer" in text
        assert "gpu  unknown: the GPU's driver does not answer" in text
        assert "✖ spark-01 unknown: docker does not answer" in await watched.view("3")
        assert "spark-01 is unknown: docker does not answer" in await watched.view("4")
