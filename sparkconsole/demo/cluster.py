"""`--demo`: a pretend cluster with the same code above it as a real one."""

from __future__ import annotations

from dataclasses import dataclass, field

from sparkconsole.clock import Clock
from sparkconsole.demo.answers.shell import PretendShell
from sparkconsole.demo.clock import DemoClock
from sparkconsole.demo.spark.machine import Machine
from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable, WrongUsage
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.remote.shell import Shell

MOST = 64
KEY = "SHA256:DEMOx7Rq2wYb0kZpV9s3Jc1uLm5nTgHe8aFdQiUoXy4"


@dataclass(frozen=True, slots=True)
class Pretend:
    """The machines, and how to reach them."""

    cluster: Cluster
    clock: Clock
    machines: dict[str, Machine] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Fingerprints of machines that show another host key than all the others, by name."""

    async def connect(self, node: Node) -> Shell:
        """As SSH does; a machine without power is not there."""
        there = (m for m in self.machines.values() if node.address in m.addresses)
        machine = self.machines.get(node.name) or next(there, None)
        if machine is None or not machine.on or "cut" in machine.faults:
            hint = "is it switched on, and its cable in?"
            raise Unreachable(f"{node.address}: no route to host", hint=hint, node=node.name)
        if "key" in machine.faults:
            cause, key = "its host key is not trusted yet", self.unknown_key(machine.name)
            hint = f"compare it, then: sparkconsole node trust {node.name}"
            raise UnknownHostKey(cause, fingerprint=key, hint=hint, node=node.name)
        return PretendShell(machine)

    def unknown_key(self, name: str) -> str:
        """The fingerprint that a machine shows and nobody trusts; empty: it is trusted."""
        there = name in self.machines and "key" in self.machines[name].faults
        return self.keys.get(name, KEY) if there else ""

    def trust(self, name: str, key: str) -> None:
        """That key of a machine is believed from now on; ChangedHostKey when it shows another one by now."""
        if key != (shown := self.unknown_key(name)):
            cause = f"shows another host key than the one that was agreed to: {shown}"
            hint = "compare it with what the machine itself shows, then trust it anew"
            raise ChangedHostKey(cause, hint=hint, node=name)
        self.machines[name].faults.pop("key", None)


def pretend(count: int, *, clock: Clock | None = None, machines: dict[str, Machine] | None = None) -> Pretend:
    """`count` pretend Sparks, switched on and idle, or `machines` as they are. WrongUsage above 64."""
    if not 1 <= count <= MOST:
        raise WrongUsage(f"a pretend cluster has 1 to {MOST} nodes, not {count}")
    time = clock or DemoClock()
    if machines is None:
        machines = {}
        for number in range(1, count + 1):
            name = f"spark-{number:02}"
            machines[name] = Machine(name, number, time, machines)
    nodes = tuple(Node(name=m.name, address=m.addresses[2], user="spark") for m in machines.values())
    return Pretend(Cluster(name="demo", nodes=nodes), time, machines)
