"""The fabric of all nodes: every way between them looked at, neighbours' rates measured. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet, failed, told
from sparkconsole.model.fabric import Fabric, NodeNetwork
from sparkconsole.model.gate import Path, Paths, Rail, Way, between, rails, ways
from sparkconsole.model.gate_rates import Rate, Unmeasured, rounds
from sparkconsole.remote.shell import Shell

Ends = Mapping[str, tuple[Rail, ...]]
Measured = tuple[Rate | Unmeasured, ...]


async def look_at_paths(
    fleet: Fleet, networks: Mapping[str, NodeNetwork], fabrics: Mapping[str, Fabric] | None = None
) -> Paths:
    """Routes and pings (small ones and full frames) both ways between every two nodes, in under 4 s.

    One command a node. Without `fabrics` over the chosen interfaces only; with them over the twins too.
    Nodes that are not in `networks` are left out; one node alone has no paths.
    """
    return await look_between(fleet, ends_of(networks, fabrics))


def ends_of(networks: Mapping[str, NodeNetwork], fabrics: Mapping[str, Fabric] | None = None) -> Ends:
    """Every node's rails."""
    known = fabrics or {}
    return {n: rails(w, known.get(n)) for n, w in networks.items()}


async def look_between(fleet: Fleet, ends: Ends) -> Paths:
    """The same as `look_at_paths`, between ends that are known."""
    from sparkconsole.remote.gate import look_along

    every = ways(ends)

    async def question(shell: Shell) -> tuple[Path, ...]:
        return await look_along(shell, [w for w in every if w.node == shell.node])

    answers = await fleet.ask(question, dict.fromkeys(w.node for w in every))
    seen = told(answers)
    return Paths(tuple(p for node in seen for p in seen[node]), failed(answers))


async def meters(fleet: Fleet, ends: Ends) -> dict[str, frozenset[str]]:
    """The tools that measure, on each node that answers."""
    from sparkconsole.remote.gate_rate import tools

    return told(await fleet.ask(tools, ends))


def measurements(
    ends: Ends, tools: Mapping[str, frozenset[str]], paths: Paths | None = None
) -> tuple[tuple[tuple[tuple[Way, str], ...], ...], ...]:
    """What is measured with what: rounds, in them pairs, in them a pair's rails one after the other.

    No node is in two pairs of a round. With `paths`, ways on which nothing came back are left out.
    """
    from sparkconsole.remote.gate_rate import tool_for

    shut = {p.way for p in paths.paths if not p.open} if paths else set()
    asked = tuple(n for n in ends if n in tools)

    def of(pair: tuple[str, str]) -> tuple[tuple[Way, str], ...]:
        both = tools[pair[0]] & tools[pair[1]]
        return tuple((w, tool_for(w, both)) for w in between(ends, *pair) if w not in shut)

    return tuple(tuple(filter(None, map(of, pairs))) for pairs in rounds(asked))


async def measure(
    fleet: Fleet,
    plan: tuple[tuple[tuple[tuple[Way, str], ...], ...], ...],
    tell: Callable[[Way, str], None] = lambda way, tool: None,
) -> Measured:
    """Carries the rounds out, 2 to 3 s a rail; a way that gives no number says why."""
    found: list[Rate | Unmeasured] = []
    for pairs in plan:
        done = await asyncio.gather(*(_pair(fleet, pair, tell) for pair in pairs))
        found += [one for pair in done for one in pair]
    return tuple(found)


async def _pair(
    fleet: Fleet, pair: tuple[tuple[Way, str], ...], tell: Callable[[Way, str], None]
) -> list[Rate | Unmeasured]:
    found = []
    for way, tool in pair:
        tell(way, tool)
        found.append(await _one(fleet, way, tool))
    return found


async def _one(fleet: Fleet, way: Way, tool: str) -> Rate | Unmeasured:
    from sparkconsole.remote.gate_rate import measured

    try:
        sender, receiver = await fleet.shell(way.node), await fleet.shell(way.peer)
        gbit = await measured(sender, receiver, way, tool)
    except SparkError as error:
        if isinstance(error, Unreachable) and error.node:
            fleet.lost(error.node)
        return Unmeasured(way, tool, error.cause)
    rail = way.rail
    device = rail.device if tool == "ib_write_bw" else ""
    rate = Rate(way.node, way.peer, rail.interface, tool, round(gbit, 2), device, rail.mtu)
    now = fleet.clock.now().isoformat(timespec="seconds")
    return replace(rate, at=now, cluster=fleet.cluster.name, speed_mbit=rail.speed_mbit)
