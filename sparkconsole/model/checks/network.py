"""Judgements of the fast link: what each node uses of it, and whether the nodes' ends fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from sparkconsole.errors import SparkError
from sparkconsole.model.checks.evidence import ClusterEvidence, Look, as_root, equal
from sparkconsole.model.fabric.ends import NETPLAN, halves
from sparkconsole.model.fabric.links import Netdev
from sparkconsole.model.finding import Finding, Fix, Severity, fail, ok, warn

SLOW_MBIT = (25_000, 40_000, 50_000, 100_000)
"""What a ConnectX-7 falls back to. Its own speed is 200000; a virtual one says something else altogether."""


def fabric(evidence: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Each node has an interface with a link and an address, both halves of its cable, and RDMA on them."""
    for line in look.facts.unparsed:
        yield warn("fabric", node, f"what a tool said is not understood: {line}")
    network = evidence.networks[node]
    if isinstance(network, SparkError):
        off = "without a cable the ConnectX-7 is powered off" if look.facts.found.hotplug else ""
        yield fail("fabric", node, network.cause, network.hint or off)
        return
    yield from (warn("fabric", node, warning) for warning in network.warnings)
    if not network.warnings:
        ring = f", and a ring of {len(network.hcas)} RDMA devices" if network.ring else ""
        yield ok("fabric", node, f"{network.eth_if} {network.address}{ring}")


def devices(evidence: ClusterEvidence) -> Iterator[Finding]:
    """NCCL pairs the nodes' RDMA devices by their place in the list: one too many waits for nobody."""
    counts = {n: len(network.hcas) for n, network in evidence.chosen.items()}
    remedy = "look at the cable of the node with fewer, or name the devices with --ib-if"
    yield from equal("fabric", "number of RDMA devices", counts, remedy)


def speed(evidence: ClusterEvidence) -> Iterator[Finding]:
    """A switch that negotiates settles on 100G."""
    for node, look in evidence.seen.items():
        slow = [n for n in _used(evidence, node) if n.speed_mbit in SLOW_MBIT]
        if slow:
            speeds = ", ".join(f"{n.name} {n.speed_mbit}" for n in slow)
            text = f"the link runs at half its speed: {speeds} Mbit/s"
            remedy = "fix the switch's port at 200G with auto-negotiation off, or use a cable for 200G"
            yield warn("speed", node, text, remedy)
        elif _used(evidence, node) and look.facts.fabric.up:
            yield ok("speed", node, "no link fell back to a lower speed")


def addresses(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Every address once; both halves of a cable alike on every node; no subnet twice on one node."""
    found = [*_doubled(evidence), *_one_sided(evidence), *_shared(evidence)]
    yield from found
    if not found and len(evidence.chosen) > 1:
        yield ok("address", "", "no address is missing, doubled or ambiguous")


def _doubled(evidence: ClusterEvidence) -> Iterator[Finding]:
    """One address on two machines."""
    holders: dict[IPv4Address, dict[str, None]] = {}
    for node, look in evidence.seen.items():
        for host in (host for netdev in look.facts.fabric.fast() for host in netdev.hosts):
            holders.setdefault(host, {})[node] = None
    for host, nodes in holders.items():
        if len(nodes) > 1:
            text = f"{host} is the address of {' and of '.join(nodes)}"
            yield fail("address", [*nodes][-1], text, f"give it another one in {NETPLAN}")


def _one_sided(evidence: ClusterEvidence) -> Iterator[Finding]:
    """One half has IPv4 on some nodes only: NCCL fails with errno 22."""
    having: dict[str, dict[str, bool]] = {}
    for node in evidence.chosen:
        for netdev in _used(evidence, node):
            having.setdefault(netdev.name, {})[node] = bool(netdev.addresses)
    for name, values in having.items():
        without = [n for n, has in values.items() if not has]
        if without and len(without) < len(values):
            ones = ", ".join(n for n, has in values.items() if has)
            text = f"{name} has no IPv4 address here and has one on {ones}: NCCL may fail with errno 22"
            for node in without:
                yield warn("address", node, text, f"the same on every node, in {NETPLAN}")


def _shared(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The fast link has the subnet of another interface: the kernel picks one of them."""
    for node, network in evidence.chosen.items():
        fabric = evidence.seen[node].facts.fabric
        own = fabric.netdev(network.eth_if)
        meant = _used(evidence, node) if network.ring else (own,) if own else ()
        fast = {h.netdev for h in fabric.hcas} | {n.name for n in meant}
        others = [n for n in fabric.netdevs if n.name not in fast and n.up is not False]
        for netdev in meant:
            near = (n.name for n in others for a in n.networks if any(map(a.overlaps, netdev.networks)))
            clash = ", ".join(dict.fromkeys(near))
            if clash:
                text = f"{netdev.name} is in the same subnet as {clash}: traffic may take the slow one"
                yield warn("address", node, text, f"a subnet of its own for the fast link, in {NETPLAN}")


def default_route(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The way out is not the fast link's."""
    for node, (look, deep_probe) in evidence.deep.items():
        fast = {h.netdev for h in look.facts.fabric.hcas}
        wrong = [d for d in deep_probe.default_routes[:1] if d in fast]
        if wrong:
            text = f"its way to everywhere else leads over the fast link ({wrong[0]})"
            yield warn("default route", node, text, f"no gateway on it, in {NETPLAN}")
        elif deep_probe.default_routes:
            route = deep_probe.default_routes[0]
            wireless = " (Wi-Fi: a cable is steadier)" if route.startswith("wl") else ""
            yield ok("default route", node, f"over {route}{wireless}")


def subnet(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Every node's chosen address is inside the head's subnet."""
    chosen = evidence.chosen
    if len(chosen) < 2:
        return
    first, *others = chosen
    netdev = evidence.seen[first].facts.fabric.netdev(chosen[first].eth_if)
    shown = ", ".join(map(str, netdev.networks)) if netdev else ""
    away = [n for n in others if not (netdev and netdev.meets([IPv4Address(chosen[n].address)]))]
    for node in away:
        text = f"{chosen[node].address} is not in the subnet of {first} ({shown})"
        yield fail("subnet", node, text, _COMMON if chosen[node].ring else _ONE_SUBNET)
    if not away:
        ring = f"a ring: each pair of nodes has subnets of its own, and all share {shown}"
        text = ring if all(w.ring for w in chosen.values()) else "one subnet"
        yield ok("subnet", "", text)


_ONE_SUBNET = "give both ends of the cable addresses in one subnet, or choose with --eth-if"
_COMMON = "in a ring Ray needs a network that all nodes share: connect the 10G ports, or --eth-if for one"


def _mtu_port(evidence: ClusterEvidence, node: str) -> Netdev | None:
    """The interface whose MTU counts: in a ring it is not the one that all share."""
    network = evidence.chosen[node]
    used = _used(evidence, node) if network.ring else ()
    return used[0] if used else evidence.seen[node].facts.fabric.netdev(network.eth_if)


def mtu(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The same on every node; the majority's MTU can be set until the next boot."""
    ports = {n: port for n in evidence.chosen if (port := _mtu_port(evidence, n)) is not None}
    mtus = {n: port.mtu for n, port in ports.items() if port.mtu is not None}
    for finding in equal("mtu", "MTU", mtus, f"MTU 9000 in {NETPLAN} on every node"):
        differ = finding.severity is Severity.WARN
        yield from _odd_mtus(evidence, ports, mtus, finding) if differ else (finding,)


def _odd_mtus(
    evidence: ClusterEvidence, ports: Mapping[str, Netdev], mtus: Mapping[str, int], finding: Finding
) -> Iterator[Finding]:
    """The same said of each node that is meant: 9000 is right where one has it, else what most have."""
    wanted = 9000 if 9000 in mtus.values() else Counter(mtus.values()).most_common(1)[0][0]
    for node, name in ((n, ports[n].name) for n, mtu in mtus.items() if mtu != wanted):
        argv = as_root(evidence.seen[node], "ip", "link", "set", "dev", name, "mtu", str(wanted))
        proof = ("grep", "-qx", str(wanted), f"/sys/class/net/{name}/mtu")
        fix = Fix(f"set the MTU of {name} to {wanted}, until the next boot", argv, proof)
        yield replace(finding, node=node, fix=fix)


def _used(evidence: ClusterEvidence, node: str) -> tuple[Netdev, ...]:
    """The interfaces of the RDMA devices that a node uses."""
    network = evidence.chosen.get(node)
    return evidence.seen[node].facts.fabric.netdevs_of(network.hcas if network else ())


def unmatched(evidence: ClusterEvidence) -> Iterator[Finding]:
    """For `address`: an address whose GID is missing, and halves that never meet. Nothing where all fits."""
    fabrics = {n: look.facts.fabric for n, look in evidence.seen.items()}
    for finding in (f for f in halves(evidence.chosen, fabrics) if f.severity is Severity.FAIL):
        # A half without an address has no such GID either, and that is told of the address already.
        if all(d.addresses for d in _used(evidence, finding.node)):
            yield replace(finding, check="address")
