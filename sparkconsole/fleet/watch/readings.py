"""Readings of all nodes one after the other, as they come: a lost node says so and is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from sparkconsole.errors import CommandFailed, SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.watch.node import FACTS_S, reading_of
from sparkconsole.model.telemetry import Reading, Sample, reading
from sparkconsole.remote.shell import Shell

AGAIN_S = 5.0
"""Until a node that was lost is tried again."""
AHEAD = 1000
"""Readings that may wait for whoever takes them; then the nodes wait."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One moment of one node; without a reading: why there is none."""

    node: str
    at_s: float
    """The wall clock here, seconds since 1970."""
    reading: Reading | None = None
    error: SparkError | None = None


async def observed(fleet: Fleet, every_s: float, count: int | None) -> AsyncIterator[Observed]:
    """`count` of each node (None: for ever), a reading each `every_s`; nothing stays running after it."""
    queue: asyncio.Queue[Observed | None] = asyncio.Queue(AHEAD)
    tasks = [asyncio.create_task(_follow(fleet, name, every_s, count, queue)) for name in fleet.names]
    left = len(tasks)
    try:
        while left:
            found = await queue.get()
            if found is None:
                left -= 1
            else:
                yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(
    fleet: Fleet, name: str, every_s: float, count: int | None, queue: asyncio.Queue[Observed | None]
) -> None:
    given = 0
    try:
        async with aclosing(_one(fleet, name, every_s)) as coming:  # type: ignore[type-var]
            async for found in coming:
                await queue.put(found)
                given += 1
                if count is not None and given >= count:
                    break
    finally:
        await queue.put(None)


async def _one(fleet: Fleet, name: str, every_s: float) -> AsyncIterator[Observed]:
    """For ever."""
    from sparkconsole.remote.sampler.sampler import NoSampler

    while True:
        shell: Shell | None = None
        try:
            shell = await fleet.shell_again(name)
            async with aclosing(_sampled(fleet, shell, name, every_s)) as coming:  # type: ignore[type-var]
                async for found in coming:
                    yield found
        except SparkError as error:
            yield Observed(name, fleet.clock.now().timestamp(), None, _lost(fleet, shell, name, error))
            if isinstance(error, NoSampler):
                async with aclosing(_by_facts(fleet, name, every_s)) as slow:  # type: ignore[type-var]
                    async for found in slow:
                        yield found
        await fleet.clock.sleep(max(AGAIN_S, every_s))


def _lost(fleet: Fleet, shell: Shell | None, name: str, error: SparkError) -> SparkError:
    """An end without a status is a lost connection, which is made anew next time."""
    if isinstance(error, CommandFailed) and error.status is None:
        error = Unreachable("the connection was lost", node=name)
    if isinstance(error, Unreachable):
        fleet.lost(name, shell)
    return error


async def _sampled(fleet: Fleet, shell: Shell, name: str, every_s: float) -> AsyncIterator[Observed]:
    from sparkconsole.remote.sampler.sampler import samples

    before: Sample | None = None
    async with aclosing(samples(shell, period_s=every_s)) as coming:
        async for sample in coming:
            yield Observed(name, fleet.clock.now().timestamp(), reading(before, sample))
            before = sample


async def _by_facts(fleet: Fleet, name: str, every_s: float) -> AsyncIterator[Observed]:
    """Where the sampler cannot run: by its tools, more rarely. Ends when the node is lost."""
    from sparkconsole.remote.node.facts import node_facts

    try:
        while True:
            found = reading_of(await node_facts(await fleet.shell(name)))
            yield Observed(name, fleet.clock.now().timestamp(), found)
            await fleet.clock.sleep(max(FACTS_S, every_s))
    except SparkError:
        return
