"""The fabric of all nodes: every way between them looked at at once. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from sparkconsole.fleet.fleet import Fleet, failed, told
from sparkconsole.model.fabric import Fabric, NodeNetwork
from sparkconsole.model.gate import Path, Paths, Rail, rails, ways
from sparkconsole.remote.shell import Shell


async def look_at_paths(
    fleet: Fleet, networks: Mapping[str, NodeNetwork], fabrics: Mapping[str, Fabric] | None = None
) -> Paths:
    """Routes and pings (small ones and full frames) both ways between every two nodes, in under 4 s.

    One command a node. Without `fabrics` over the chosen interfaces only; with them over the twins too.
    Nodes that are not in `networks` are left out; one node alone has no paths.
    """
    known = fabrics or {}
    return await look_between(fleet, {n: rails(w, known.get(n)) for n, w in networks.items()})


async def look_between(fleet: Fleet, ends: Mapping[str, tuple[Rail, ...]]) -> Paths:
    """The same, between ends that are known."""
    from sparkconsole.remote.gate import look_along

    every = ways(ends)

    async def question(shell: Shell) -> tuple[Path, ...]:
        return await look_along(shell, [w for w in every if w.node == shell.node])

    answers = await fleet.ask(question, dict.fromkeys(w.node for w in every))
    seen = told(answers)
    return Paths(tuple(p for node in seen for p in seen[node]), failed(answers))
