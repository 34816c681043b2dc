"""`--demo`: a pretend cluster with the same code above it as a real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sparkconsole.demo.clock import DemoClock
from sparkconsole.demo.machine import Machine
from sparkconsole.demo.shell import PretendShell
from sparkconsole.errors import WrongUsage
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.shell import Shell

MOST = 64


def pretend(count: int) -> tuple[Cluster, Callable[[Node], Awaitable[Shell]], DemoClock]:
    """A cluster of `count` pretend Sparks, how to connect to them, and their clock. WrongUsage above 64."""
    if not 1 <= count <= MOST:
        raise WrongUsage(f"a pretend cluster has 1 to {MOST} nodes, not {count}")
    clock = DemoClock()
    machines: dict[str, Machine] = {}
    for number in range(1, count + 1):
        name = f"spark-{number:02}"
        machines[name] = Machine(name, number, clock, machines)
    nodes = tuple(
        Node(name=m.name, address=f"10.77.0.{10 + m.number}", user="spark") for m in machines.values()
    )

    async def connect(node: Node) -> Shell:
        return PretendShell(machines[node.name])

    return Cluster(name="demo", nodes=nodes), connect, clock
