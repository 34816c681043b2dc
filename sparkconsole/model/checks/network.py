"""Judgements of the fast link: what each node uses of it, and whether the nodes' ends fit together.

NCCL pairs the nodes' RDMA devices by their place in the list, so the judgements of the halves do too.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sparkconsole.errors import SparkError
from sparkconsole.model.checks.evidence import ClusterEvidence, Finding, Fix, Look, Severity, as_root, equal
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev, NodeNetwork

SLOW_MBIT = (25_000, 40_000, 50_000, 100_000)
"""What a ConnectX-7 falls back to. Its own speed is 200000; a virtual one says something else altogether."""
NETPLAN = "/etc/netplan/40-cx7.yaml"
Chosen = Mapping[str, NodeNetwork]
Fabrics = Mapping[str, Fabric]
ALIKE = "give its interface an address like the others' in /etc/netplan/40-cx7.yaml, or take it from both"
_MEET = "give both ends of that half one subnet in /etc/netplan/40-cx7.yaml, or choose with --ib-if"


def fabric(evidence: ClusterEvidence, node: str, look: Look) -> Iterator[Finding]:
    """Each node has an interface with a link and an address, both halves of its cable, and RDMA on them."""
    if not evidence.joined:
        return
    for line in look.facts.unparsed:
        yield Finding("fabric", Severity.WARN, node, f"what a tool said is not understood: {line}")
    network = evidence.networks[node]
    if isinstance(network, SparkError):
        off = "without a cable the ConnectX-7 is powered off" if look.facts.found.hotplug else ""
        yield Finding("fabric", Severity.FAIL, node, network.cause, network.hint or off)
        return
    for warning in network.warnings:
        yield Finding("fabric", Severity.WARN, node, warning)
    if not network.warnings:
        ring = f", and a ring of {len(network.hcas)} RDMA devices" if network.ring else ""
        yield Finding("fabric", Severity.OK, node, f"{network.eth_if} {network.address}{ring}")


def devices(evidence: ClusterEvidence) -> Iterator[Finding]:
    """NCCL pairs the nodes' RDMA devices by their place in the list: one too many waits for nobody."""
    if evidence.joined:
        counts = {n: len(network.hcas) for n, network in evidence.chosen.items()}
        remedy = "look at the cable of the node with fewer, or name the devices with --ib-if"
        yield from equal("fabric", "number of RDMA devices", counts, remedy)


def speed(evidence: ClusterEvidence) -> Iterator[Finding]:
    """A switch that negotiates settles on 100G."""
    if not evidence.joined:
        return
    for node, look in evidence.seen.items():
        slow = [n for n in _used(evidence, node) if n.speed_mbit in SLOW_MBIT]
        if slow:
            speeds = ", ".join(f"{n.name} {n.speed_mbit}" for n in slow)
            text = f"the link runs at half its speed: {speeds} Mbit/s"
            remedy = "fix the switch's port at 200G with auto-negotiation off, or use a cable for 200G"
            yield Finding("speed", Severity.WARN, node, text, remedy)
        elif _used(evidence, node) and look.facts.fabric.up:
            yield Finding("speed", Severity.OK, node, "no link fell back to a lower speed")


def addresses(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Every address once; both halves of a cable alike on every node; no subnet twice on one node."""
    if not evidence.joined:
        return
    found = [*_doubled(evidence), *_one_sided(evidence), *_shared(evidence)]
    yield from found
    if not found and len(evidence.chosen) > 1:
        yield Finding("address", Severity.OK, "", "no address is missing, doubled or ambiguous")


def _doubled(evidence: ClusterEvidence) -> Iterator[Finding]:
    """One address on two machines."""
    every = {
        node: {a.partition("/")[0] for netdev in look.facts.fabric.fast() for a in netdev.addresses}
        for node, look in evidence.seen.items()
    }
    counted = Counter(a for own in every.values() for a in own)
    for address in (a for a, count in counted.items() if count > 1):
        holders = [n for n, own in every.items() if address in own]
        text = f"{address} is the address of {' and of '.join(holders)}"
        yield Finding("address", Severity.FAIL, holders[-1], text, f"give it another one in {NETPLAN}")


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
                yield Finding("address", Severity.WARN, node, text, f"the same on every node, in {NETPLAN}")


def _shared(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The fast link has the subnet of another interface: the kernel picks one of them."""
    for node, network in evidence.chosen.items():
        fabric = evidence.seen[node].facts.fabric
        own = fabric.netdev(network.eth_if)
        meant = _used(evidence, node) if network.ring else [own] if own else []
        fast = {h.netdev for h in fabric.hcas} | {n.name for n in meant}
        others = [n for n in fabric.netdevs if n.name not in fast and n.up is not False]
        for netdev in meant:
            near = (n.name for n in others for a in n.networks if any(map(a.overlaps, netdev.networks)))
            clash = ", ".join(dict.fromkeys(near))
            if clash:
                text = f"{netdev.name} is in the same subnet as {clash}: traffic may take the slow one"
                remedy = f"a subnet of its own for the fast link, in {NETPLAN}"
                yield Finding("address", Severity.WARN, node, text, remedy)


def default_route(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The way out is not the fast link's."""
    for node, (look, deep_probe) in evidence.deep.items():
        fast = {h.netdev for h in look.facts.fabric.hcas}
        wrong = [d for d in deep_probe.default_routes[:1] if d in fast]
        if wrong:
            text = f"its way to everywhere else leads over the fast link ({wrong[0]})"
            yield Finding("default route", Severity.WARN, node, text, f"no gateway on it, in {NETPLAN}")
        elif deep_probe.default_routes:
            route = deep_probe.default_routes[0]
            wireless = " (Wi-Fi: a cable is steadier)" if route.startswith("wl") else ""
            yield Finding("default route", Severity.OK, node, f"over {route}{wireless}")


def subnet(evidence: ClusterEvidence) -> Iterator[Finding]:
    """Every node's chosen address is inside the head's subnet."""
    chosen = evidence.chosen
    if not evidence.joined or len(chosen) < 2:
        return
    first, *others = chosen
    netdev = evidence.seen[first].facts.fabric.netdev(chosen[first].eth_if)
    subnets = netdev.networks if netdev else ()
    shown = ", ".join(map(str, subnets))
    hosts = {n: ipaddress.IPv4Address(chosen[n].address) for n in others}
    away = [n for n, host in hosts.items() if not any(host in subnet for subnet in subnets)]
    for node in away:
        text = f"{chosen[node].address} is not in the subnet of {first} ({shown})"
        yield Finding("subnet", Severity.FAIL, node, text, _COMMON if chosen[node].ring else _ONE_SUBNET)
    if not away:
        ring = f"a ring: each pair of nodes has subnets of its own, and all share {shown}"
        text = ring if all(w.ring for w in chosen.values()) else "one subnet"
        yield Finding("subnet", Severity.OK, "", text)


_ONE_SUBNET = "give both ends of the cable addresses in one subnet, or choose with --eth-if"
_COMMON = "in a ring Ray needs a network that all nodes share: connect the 10G ports, or --eth-if for one"


def _mtu_port(evidence: ClusterEvidence, node: str) -> Netdev | None:
    """The interface whose MTU counts: in a ring it is not the one that all share."""
    network = evidence.chosen[node]
    used = _used(evidence, node) if network.ring else []
    return used[0] if used else evidence.seen[node].facts.fabric.netdev(network.eth_if)


def mtu(evidence: ClusterEvidence) -> Iterator[Finding]:
    """The same on every node; the majority's MTU can be set until the next boot."""
    chosen = evidence.chosen if evidence.joined else {}
    ports = {n: port for n in chosen if (port := _mtu_port(evidence, n)) is not None}
    mtus = {n: port.mtu for n, port in ports.items() if port.mtu is not None}
    for finding in equal("mtu", "MTU", mtus, f"MTU 9000 in {NETPLAN} on every node"):
        odd = _odd_mtus(evidence, ports, mtus, finding) if finding.severity is Severity.WARN else ()
        yield from odd or (finding,)


def _odd_mtus(
    evidence: ClusterEvidence, ports: Mapping[str, Netdev], mtus: Mapping[str, int], finding: Finding
) -> tuple[Finding, ...]:
    """The same said of each node that is meant: 9000 is right where one has it, else what most have."""
    wanted = 9000 if 9000 in mtus.values() else Counter(mtus.values()).most_common(1)[0][0]
    fixes = {
        node: Fix(
            f"set the MTU of {ports[node].name} to {wanted}, until the next boot",
            as_root(evidence.seen[node], "ip", "link", "set", "dev", ports[node].name, "mtu", str(wanted)),
            ("grep", "-qx", str(wanted), f"/sys/class/net/{ports[node].name}/mtu"),
        )
        for node, mtu in mtus.items()
        if mtu != wanted
    }
    return tuple(replace(finding, node=node, fix=fix) for node, fix in fixes.items())


def _used(evidence: ClusterEvidence, node: str) -> list[Netdev]:
    """The interfaces of the RDMA devices that a node uses."""
    look, network = evidence.seen[node], evidence.chosen.get(node)
    hcas = [h for h in look.facts.fabric.hcas if network and h.device in network.hcas]
    return [n for h in hcas if (n := look.facts.fabric.netdev(h.netdev)) is not None]


def unmatched(evidence: ClusterEvidence) -> Iterator[Finding]:
    """For `address`: an address whose GID is missing, and halves that never meet. Nothing where all fits."""
    fabrics = {n: look.facts.fabric for n, look in evidence.seen.items()}
    wrong = halves(evidence.chosen, fabrics) if evidence.joined else ()
    for finding in (f for f in wrong if f.severity is Severity.FAIL):
        # A half without an address has no such GID either, and that is told of the address already.
        if all(d.addresses for d in _netdevs(evidence.chosen[finding.node], fabrics[finding.node])):
            yield replace(finding, check="address")


def halves(chosen: Chosen, fabrics: Fabrics) -> tuple[Finding, ...]:
    """What does not fit, else the good word where anything is known of GIDs."""
    found = (*_unlike(chosen, fabrics), *_strays(chosen, fabrics))
    return found or _fitting(chosen, fabrics)


def _fitting(chosen: Chosen, fabrics: Fabrics) -> tuple[Finding, ...]:
    known = [n for n in chosen if n in fabrics and any(h.gids for h in fabrics[n].hcas)]
    text = "the RDMA devices' GIDs fit each other"
    return (Finding("gid", Severity.OK, "", text),) if len(known) > 1 else ()


def _unlike(chosen: Chosen, fabrics: Fabrics) -> Iterator[Finding]:
    """A device with RoCE v2 over IPv4 cannot talk to one without (errno 22, or 61 where it is pinned)."""
    for there in places(chosen, fabrics):
        known = {n: hca for n, hca in there.items() if hca.gids}
        mapped = {n: i for n, hca in known.items() if (i := hca.gid_index) is not None}
        for node in known if mapped else ():
            if node not in mapped:
                text = f"{known[node].device} has no GID for RoCE v2 over IPv4, {next(iter(mapped))}'s has"
                yield Finding("gid", Severity.FAIL, node, f"{text}: NCCL ends with errno 22 or 61", ALIKE)
        if len(set(mapped.values())) > 1:
            sentence = ", ".join(f"{n} {known[n].device} {i}" for n, i in mapped.items())
            text = f"RoCE v2 over IPv4 is at another GID index on each node: {sentence}"
            yield Finding("gid", Severity.WARN, "", text, "never pin NCCL_IB_GID_INDEX: NCCL finds it itself")


def _strays(chosen: Chosen, fabrics: Fabrics) -> Iterator[Finding]:
    """A second half in whose subnet no other node has one, where others have: it is cabled elsewhere."""
    used = {n: _netdevs(w, fabrics[n]) for n, w in chosen.items() if n in fabrics}
    for node, netdevs in used.items():
        peers = [n for n in used if n != node]
        every = [a for n in peers for h in fabrics[n].hcas for a in _hosts(fabrics[n].netdev(h.netdev))]
        second = [d for n in peers for d in used[n] if d.addresses and d.name != chosen[n].eth_if]
        own = [d for d in netdevs if d.addresses and d.name != chosen[node].eth_if]
        for netdev in (d for d in own if second and not _meets(d, every)):
            text = f"{netdev.name} {netdev.addresses[0]} is in a subnet with no other node's"
            yield Finding("gid", Severity.FAIL, node, f"{text}: NCCL ends with errno 110", _MEET)


def full(chosen: Chosen) -> dict[str, NodeNetwork]:
    """The nodes with the most devices: a list that lacks one cannot be compared place by place."""
    most = max((len(w.hcas) for w in chosen.values()), default=0)
    return {n: w for n, w in chosen.items() if len(w.hcas) == most}


def _device(network: NodeNetwork, fabric: Fabric | None, place: int) -> Hca | None:
    """The RDMA device at that place of the list."""
    if fabric is None or place >= len(network.hcas):
        return None
    return next((h for h in fabric.hcas if h.device == network.hcas[place]), None)


def places(chosen: Chosen, fabrics: Fabrics) -> Iterator[dict[str, Hca]]:
    """Place by place, the nodes' devices."""
    whole = full(chosen)
    for place in range(max((len(w.hcas) for w in whole.values()), default=0)):
        yield {n: hca for n, w in whole.items() if (hca := _device(w, fabrics.get(n), place))}


def _netdevs(network: NodeNetwork, fabric: Fabric) -> list[Netdev]:
    names = [h.netdev for h in fabric.hcas if h.device in network.hcas]
    return [d for name in names if (d := fabric.netdev(name)) is not None]


def _hosts(netdev: Netdev | None) -> list[ipaddress.IPv4Address]:
    return [ipaddress.IPv4Interface(a).ip for a in netdev.addresses] if netdev else []


def _meets(netdev: Netdev, others: list[ipaddress.IPv4Address]) -> bool:
    return any(a in network for network in netdev.networks for a in others)
