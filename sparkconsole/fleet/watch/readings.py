"""Readings of all nodes one after the other, as they come: a lost node says so and is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from sparkconsole.clock import cancelled
from sparkconsole.errors import SparkError, TimedOut, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.telemetry import Reading, Sample, reading
from sparkconsole.remote.shell import Shell

FACTS_S = 10.0
"""Between readings of a node that cannot run the sampler: each takes some thirty processes."""
AGAIN_S = 5.0
"""Until a node that was lost is tried again, or a sampler that ended is started again."""
SILENT_S = 7.0
"""A sampler that says nothing for so long, or for three of its periods, is started again."""
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
        await cancelled(tasks)


async def _follow(
    fleet: Fleet, name: str, every_s: float, count: int | None, queue: asyncio.Queue[Observed | None]
) -> None:
    given = 0
    try:
        async with aclosing(_one(fleet, name, every_s)) as coming:  # type: ignore[type-var]
            async for found in coming:
                values = (None, found) if isinstance(found, SparkError) else (found,)
                await queue.put(Observed(name, fleet.clock.now().timestamp(), *values))
                given += 1
                if count is not None and given >= count:
                    break
    finally:
        await queue.put(None)


async def _one(fleet: Fleet, name: str, every_s: float) -> AsyncIterator[Reading | SparkError]:
    """For ever. Where the sampler cannot run: by its tools, more rarely."""
    from sparkconsole.remote.sampler.sampler import NoSampler, samples

    while True:
        shell: Shell | None = None
        before: Sample | None = None
        try:
            shell = await fleet.shell_again(name)
            async with aclosing(samples(shell, period_s=every_s)) as coming:
                while True:
                    sample = await asyncio.wait_for(anext(coming), max(SILENT_S, 3 * every_s))
                    yield reading(before, sample)
                    before = sample
        except TimeoutError:
            yield TimedOut("no reading comes", hint="is it out of memory?", node=name)
        except SparkError as error:
            if isinstance(error, Unreachable):
                fleet.lost(name, shell)
            yield error
            with suppress(SparkError):
                while isinstance(error, NoSampler):
                    yield await reading_by_facts(await fleet.shell(name))
                    await fleet.clock.sleep(max(FACTS_S, every_s))
        await fleet.clock.sleep(max(AGAIN_S, every_s))


async def reading_by_facts(shell: Shell) -> Reading:
    """What a look at a node tells of the moment."""
    from sparkconsole.remote.node.facts import node_facts

    facts = await node_facts(shell)
    return Reading(
        facts.clock_s or 0.0,
        memory=facts.memory,
        gpus=facts.gpus,
        gpu_processes=facts.gpu_processes,
        gpu_error=facts.gpu_error,
        disk_free=facts.free.get("docker"),
    )
