"""The fabric of all nodes: every way between them looked at, neighbours' rates measured. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fabric.history import RateHistory
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.model.checks import Look
from sparkconsole.model.checks import networks as choose_networks
from sparkconsole.model.fabric.links import Fabric, NodeNetwork
from sparkconsole.model.fabric.paths import Path, Paths, Rail, RailWay, between, rails, ways
from sparkconsole.model.fabric.rates import Rate, Unmeasured, rounds
from sparkconsole.model.fabric.test import FabricTest
from sparkconsole.model.facts import NodeFacts
from sparkconsole.model.probes import Probe
from sparkconsole.remote.shell import Shell

Ends = Mapping[str, tuple[Rail, ...]]
Measured = tuple[Rate | Unmeasured, ...]
Rounds = tuple[tuple[tuple[tuple[RailWay, str], ...], ...], ...]
"""Rounds, in them pairs, in them a pair's rails one after the other, each with its tool."""
Tell = Callable[[RailWay, str], None]


async def probe_paths(
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
    from sparkconsole.remote.fabric.paths import look_along

    every = ways(ends)

    async def question(shell: Shell) -> tuple[Path, ...]:
        return await look_along(shell, [w for w in every if w.node == shell.node])

    answers = await fleet.ask(question, dict.fromkeys(w.node for w in every))
    seen = answered(answers)
    return Paths(tuple(p for node in seen for p in seen[node]), failed(answers))


async def meters(fleet: Fleet, ends: Ends) -> dict[str, frozenset[str]]:
    """The tools that measure, on each node that answers."""
    from sparkconsole.remote.fabric.rate import tools

    return answered(await fleet.ask(tools, ends))


def measurements(ends: Ends, tools: Mapping[str, frozenset[str]], paths: Paths | None = None) -> Rounds:
    """What is measured with what.

    No node is in two pairs of a round. With `paths`, ways on which nothing came back are left out.
    """
    from sparkconsole.remote.fabric.rate import tool_for

    shut = {p.way for p in paths.paths if not p.open} if paths else set()
    asked = tuple(n for n in ends if n in tools)

    def of(pair: tuple[str, str]) -> tuple[tuple[RailWay, str], ...]:
        both = tools[pair[0]] & tools[pair[1]]
        return tuple((w, tool_for(w, both)) for w in between(ends, *pair) if w not in shut)

    return tuple(tuple(filter(None, map(of, pairs))) for pairs in rounds(asked))


async def measure(fleet: Fleet, plan: Rounds, tell: Tell = lambda way, tool: None) -> Measured:
    """Carries the rounds out, 2 to 3 s a rail; a way that gives no number says why."""

    async def along(pair: tuple[tuple[RailWay, str], ...]) -> list[Rate | Unmeasured]:
        return [await _one(fleet, way, tool, tell) for way, tool in pair]

    done = [await together(*map(along, pairs)) for pairs in plan]
    return tuple(one for pairs in done for pair in pairs for one in pair)


async def _one(fleet: Fleet, way: RailWay, tool: str, tell: Tell) -> Rate | Unmeasured:
    from sparkconsole.remote.fabric.rate import measured

    tell(way, tool)
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
    return replace(rate, cluster=fleet.cluster.name, speed_mbit=rail.speed_mbit)


@dataclass(frozen=True, slots=True)
class FabricSurvey:
    """Who the nodes are and which ends they have: what a gate begins with."""

    networks: Mapping[str, NodeNetwork | SparkError]
    facts: Mapping[str, NodeFacts]

    @property
    def fabrics(self) -> dict[str, Fabric]:
        """Of the nodes that answered."""
        return {n: f.fabric for n, f in self.facts.items()}

    @property
    def ends(self) -> Ends:
        """The rails of the nodes that have any."""
        chosen = {n: w for n, w in self.networks.items() if isinstance(w, NodeNetwork)}
        return ends_of(chosen, self.fabrics)

    @property
    def busy(self) -> tuple[str, ...]:
        """Nodes on whose GPU something runs: a rate is then what is left over."""
        return tuple(n for n, f in self.facts.items() if f.gpu_processes)


async def stand(fleet: Fleet, *, eth_if: str | None = None, ib_if: tuple[str, ...] = ()) -> FabricSurvey:
    """Asks every node for its fabric and chooses from it, as a launch does."""
    from sparkconsole.remote.node.facts import node_facts

    answers = await fleet.ask(lambda shell: node_facts(shell, asked=(Probe.FABRIC, Probe.GPU)))
    facts = answered(answers)
    looks = {n: Look(f) for n, f in facts.items()}
    chosen = choose_networks(fleet.cluster, looks, eth_if=eth_if, ib_if=ib_if)
    return FabricSurvey({n: chosen.get(n) or failed(answers)[n] for n in fleet.names}, facts)


async def gate(
    fleet: Fleet,
    survey_fabric: FabricSurvey,
    history: RateHistory,
    *,
    quick: bool = False,
    tell: Tell = lambda way, tool: None,
) -> FabricTest:
    """The whole gate; its rates are kept. `quick`: without rates."""
    ends, kept = survey_fabric.ends, history.rates(fleet.cluster.name)
    at = fleet.clock.now().isoformat(timespec="seconds")
    paths = await look_between(fleet, ends)
    seen = FabricTest(survey_fabric.networks, survey_fabric.fabrics, paths, kept=kept)
    if quick or len(ends) < 2:
        return seen
    plan = measurements(ends, await meters(fleet, ends), paths)
    measured = await measure(fleet, plan, tell)
    dated = (replace(m, at=at) if isinstance(m, Rate) else m for m in measured)
    done = replace(seen, measured=tuple(dated))
    if done.rates:
        await asyncio.to_thread(history.add, done.rates)
    return done
