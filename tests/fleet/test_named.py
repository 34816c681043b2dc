"""A fleet knows the addresses that cluster.toml says, and those that a look showed."""

from __future__ import annotations

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.fabric.links import Fabric, Netdev
from sparkconsole.model.facts import NodeFacts
from sparkconsole.parse.serve.serve_log import ServeLogReader
from sparkconsole.remote.shell import Shell
from tests.line_shell import LineShell

DEAD = "ERROR 11-30 The node with node id: 6ced and address: 192.168.177.12 and node name: 192.168.177.12 has been marked dead because the detector has missed too many heartbeats from it."  # noqa: E501


async def connect(node: Node) -> Shell:
    return LineShell(node.name)


async def test_what_ray_says_of_an_address_is_said_of_the_node() -> None:
    nodes = (Node(name="spark-01", address="10.0.0.1"), Node(name="spark-02", address="10.0.0.2"))

    async def look(shell: Shell) -> NodeFacts:
        own = {"spark-01": "192.168.177.11/24", "spark-02": "192.168.177.12/24"}[shell.node]
        return NodeFacts(shell.node, fabric=Fabric(netdevs=(Netdev("enp1s0f0np0", (own,)),)))

    async with Fleet(Cluster(name="lab", nodes=nodes), connect) as fleet:
        assert fleet.named("10.0.0.2 or 192.168.177.12") == "spark-02 (10.0.0.2) or 192.168.177.12"
        await fleet.ask(look)
        cause = ServeLogReader([DEAD], named=fleet.named).cause()
    assert cause is not None
    assert "address: spark-02 (192.168.177.12)" in cause.text
