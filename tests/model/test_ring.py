"""Three nodes in a ring, without a switch: a cable and two subnets for each pair, and one network for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.checks import ClusterEvidence, Finding, Look, Severity, judge, networks
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.fabric.ends import judge_ends
from sparkconsole.model.fabric.links import Fabric, Gid, Hca, Netdev, environment, is_ring
from sparkconsole.model.fabric.paths import Echo, Path, Paths, Route, judge_paths, rails, ways
from sparkconsole.model.facts import DeepProbe, NodeFacts

PORTS = {
    "enp1s0f0np0": "rocep1s0f0",
    "enP2p1s0f0np0": "roceP2p1s0f0",
    "enp1s0f1np1": "rocep1s0f1",
    "enP2p1s0f1np1": "roceP2p1s0f1",
}
PLAN = {1: ("10.0.1", "10.0.2", "10.0.3", "10.0.4"), 2: ("10.0.5", "10.0.6", "10.0.1", "10.0.2"),
        3: ("10.0.3", "10.0.4", "10.0.5", "10.0.6")}  # fmt: skip
"""Port 0 of one leads to port 1 of the next, as NVIDIA cables and numbers three."""
CHECKS = ("fabric", "speed", "address", "subnet", "mtu", "default route")
DEVICES = ("rocep1s0f0", "rocep1s0f1", "roceP2p1s0f0", "roceP2p1s0f1")


def machine(number: int, *, lan: str = "192.168.7", **changes: dict[str, Any]) -> Fabric:
    hcas, netdevs = [], []
    for (name, device), subnet in zip(PORTS.items(), PLAN[number], strict=True):
        gid = Gid(3, f"0000:0000:0000:0000:0000:ffff:0a00:0{number}", "RoCE v2")
        hcas.append(Hca(device, name, up=True, image_guid=str(number), gids=(gid,)))
        plain = Netdev(name, (f"{subnet}.{number}/24",), 9000, True, speed_mbit=200_000)
        netdevs.append(replace(plain, **changes.get(name, {})))
    slow = [
        Netdev("enP7s7", (f"{lan}.{number}/24",) if lan else (), 1500, True, speed_mbit=10_000),
        Netdev("wlP9s9", (f"{lan}.10{number}/24",) if lan else (), 1500, True),
        Netdev("docker0", ("172.17.0.1/16",), 1500, True),
        Netdev("lo", ("127.0.0.1/8",), 65536, True),
    ]
    return Fabric(tuple(hcas), (*netdevs, *slow))


def evidence(*fabrics: Fabric) -> ClusterEvidence:
    looks: dict[str, Look | SparkError] = {
        f"spark{i}": Look(NodeFacts(f"spark{i}", fabric=f, deep_probe=DeepProbe(default_routes=("enP7s7",))))
        for i, f in enumerate(fabrics, 1)
    }
    cluster = Cluster(nodes=tuple(Node(name=n, address=n) for n in looks))
    return ClusterEvidence(cluster, "vllm-node", "vllm_node", looks, networks(cluster, looks))


def wrong(found: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(f.check, f.severity.value, f.node) for f in found if f.severity is not Severity.OK]


RING = evidence(machine(1), machine(2), machine(3))


def test_ray_gets_the_network_that_all_share_and_rdma_every_device() -> None:
    for number, network in enumerate(RING.chosen.values(), 1):
        assert (network.eth_if, network.address) == ("enP7s7", f"192.168.7.{number}"), "the wired one"
        assert network.hcas == DEVICES
        assert (network.ring, network.warnings) == (True, ())
        told = environment(network)
        assert told["NCCL_SOCKET_IFNAME"] == "enP7s7"
        assert told["NCCL_IB_HCA"] == ",".join(DEVICES)
        assert told["NCCL_IB_SUBNET_AWARE_ROUTING"] == "1"
        assert (told["NCCL_IB_MERGE_NICS"], told["NCCL_NET_PLUGIN"]) == ("0", "none")


def test_a_ring_has_nothing_wrong() -> None:
    found = judge(RING, CHECKS)
    assert wrong(found) == []
    told = {f.check: f.sentence for f in found}
    assert "a ring" in told["subnet"]
    assert "192.168.7.0/24" in told["subnet"]
    assert told["mtu"] == "MTU 9000", "the cables' and not the shared network's"
    assert {f.check for f in found} == set(CHECKS)


def test_two_of_the_three_are_a_pair_and_a_switch_is_no_ring() -> None:
    pair = evidence(machine(1), machine(2))
    assert [w.ring for w in pair.chosen.values()] == [False, False]
    assert {w.eth_if for w in pair.chosen.values()} == {"enp1s0f0np0", "enp1s0f1np1"}
    assert wrong(judge(pair, ("subnet",))) == []
    flat = [
        Fabric((Hca("rocep1s0f1", "enp1s0f1np1", up=True),), (Netdev("enp1s0f1np1", (f"10.0.1.{n}/24",)),))
        for n in (1, 2, 3)
    ]
    assert not is_ring(flat[0], flat[1:])


def test_a_person_s_interface_wins() -> None:
    cluster = RING.cluster
    said = networks(cluster, RING.looks, eth_if="wlP9s9")
    assert {w.eth_if for w in said.values() if not isinstance(w, SparkError)} == {"wlP9s9"}


def test_a_ring_whose_nodes_share_nothing_is_red_and_says_what_is_missing() -> None:
    found = judge(evidence(*(machine(n, lan="") for n in (1, 2, 3))), ("subnet",))
    assert set(wrong(found)) == {("subnet", "fail", "spark2"), ("subnet", "fail", "spark3")}
    assert all("in a ring" in f.remedy for f in found)


def test_an_mtu_and_an_address_that_differ_in_a_ring() -> None:
    small = evidence(machine(1), machine(2, enp1s0f0np0={"mtu": 1500}), machine(3))
    (finding,) = [f for f in judge(small, ("mtu",)) if f.severity is not Severity.OK]
    assert finding.node == "spark2"
    assert finding.fix is not None
    assert "enp1s0f0np0" in finding.fix.argv
    bare = evidence(machine(1), machine(2), machine(3, enP2p1s0f1np1={"addresses": ()}))
    assert ("address", "warn", "spark3") in wrong(judge(bare, ("address",)))


def test_a_cable_in_the_subnet_of_the_shared_network() -> None:
    """NVIDIA's own plan uses subnets that home networks have too."""
    clash = evidence(*(machine(n, lan="10.0.2") for n in (1, 2, 3)))
    told = [f for f in judge(clash, ("address",)) if f.severity is not Severity.OK]
    assert {f.node for f in told} == {"spark1", "spark2"}, "the ends of that cable"
    assert all("enP7s7" in f.sentence for f in told)


def test_the_gate_tries_each_cable_and_the_shared_network() -> None:
    looks = RING.seen
    ends = {n: rails(w, looks[n].facts.fabric) for n, w in RING.chosen.items()}
    every = ways(ends)
    assert len(every) == 3 * 2 * 3, "each way between two: both halves and the shared network"
    assert all(w.far.address.rpartition(".")[0] == w.rail.address.rpartition(".")[0] for w in every)
    well = Echo(2, 2, rtt_ms=0.1)
    seen = Paths(tuple(Path(w, well, well, Route(w.rail.interface)) for w in every))
    assert wrong(judge_paths(seen)) == []
    assert wrong(judge_ends(RING.networks, {n: look.facts.fabric for n, look in looks.items()})) == []
    lost = tuple(
        replace(p, small=Echo(2), large=Echo(2)) if {p.way.node, p.way.peer} == {"spark1", "spark2"} else p
        for p in seen.paths
    )
    blamed = {(f.check, f.node) for f in judge_paths(Paths(lost)) if f.severity is not Severity.OK}
    assert blamed == {("reach", "spark1"), ("reach", "spark2")}
