"""The paths of the fabric: which ends there are, what was seen between them, and what is wrong with that."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.model.fabric.links import Fabric, Hca, NodeNetwork
from sparkconsole.model.finding import Finding, fail, ok, warn
from sparkconsole.model.text.alike import groups

HEADERS = 28
"""Bytes of IPv4 and ICMP headers: what a frame carries less than the MTU."""
USUAL_MTU = 1500


@dataclass(frozen=True, slots=True)
class Rail:
    """One node's end of one half of a cable."""

    interface: str
    address: str
    network: ipaddress.IPv4Network | None = None
    """None: nobody said."""
    mtu: int | None = None
    speed_mbit: int | None = None
    device: str = ""
    """The RDMA device; empty: TCP only."""
    port: int = 1
    gid_index: int | None = None

    @property
    def largest(self) -> int:
        """Bytes of the largest ping that leaves here in one piece."""
        return (self.mtu or USUAL_MTU) - HEADERS


@dataclass(frozen=True, slots=True)
class RailWay:
    """One direction: from one node's rail to the other node's."""

    node: str
    rail: Rail
    peer: str
    far: Rail

    @property
    def text(self) -> str:
        """As a person names it."""
        return f"{self.node} {self.rail.interface} to {self.peer} {self.far.address}"


@dataclass(frozen=True, slots=True)
class Echo:
    """What a ping said. All zeros with a `trouble`: nothing was sent."""

    sent: int = 0
    received: int = 0
    limit: int | None = None
    """The MTU that the way has, where somebody on it said so."""
    rtt_ms: float | None = None
    trouble: str = ""

    @property
    def came_back(self) -> bool:
        """An answer at least."""
        return self.received > 0

    @property
    def tried(self) -> bool:
        """The ping was sent, or the way's limit kept it from being sent."""
        return self.sent > 0 or self.limit is not None


@dataclass(frozen=True, slots=True)
class Route:
    """How the kernel would send it. No interface: it would not, and `trouble` says why."""

    interface: str = ""
    gateway: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Path:
    """What one node saw of one way."""

    way: RailWay
    small: Echo = field(default_factory=Echo)
    large: Echo = field(default_factory=Echo)
    route: Route = field(default_factory=Route)

    @property
    def ends(self) -> set[str]:
        """Both nodes."""
        return {self.way.node, self.way.peer}

    @property
    def open(self) -> bool:
        """Something came back."""
        return self.small.came_back or self.large.came_back

    @property
    def tried(self) -> bool:
        """Somebody looked."""
        return self.small.tried or self.large.tried


@dataclass(frozen=True, slots=True)
class Paths:
    """Every way of the cluster; a node that could not be asked is in `errors`, and its ways are unknown."""

    paths: tuple[Path, ...] = ()
    errors: Mapping[str, SparkError] = field(default_factory=dict)


# --- which ways there are


def rails(network: NodeNetwork, fabric: Fabric | None = None) -> tuple[Rail, ...]:
    """A node's ends, the chosen interface first; with its fabric, also the twins that have an address."""
    first = Rail(network.eth_if, network.address, mtu=network.mtu, gid_index=network.gid_index)
    if fabric is None:
        return (first,)
    hcas = {h.netdev: h for h in fabric.hcas if h.device in network.hcas}
    names = (network.eth_if, *(h.netdev for h in hcas.values() if h.netdev != network.eth_if))
    seen = (_rail(fabric, name, hcas.get(name)) for name in names)
    return tuple(r for r in seen if r is not None) or (first,)


def _rail(fabric: Fabric, name: str, hca: Hca | None) -> Rail | None:
    netdev = fabric.netdev(name)
    if netdev is None or not netdev.addresses:
        return None
    where = ipaddress.IPv4Interface(netdev.addresses[0])
    device, port, index = (hca.device, hca.port, hca.gid_index) if hca else ("", 1, None)
    return Rail(name, str(where.ip), where.network, netdev.mtu, netdev.speed_mbit, device, port, index)


def ways(ends: Mapping[str, Sequence[Rail]]) -> tuple[RailWay, ...]:
    """Both directions between every two nodes, over every rail that the other node has an end of."""
    return tuple(w for node in ends for peer in ends if peer != node for w in between(ends, node, peer))


def between(ends: Mapping[str, Sequence[Rail]], node: str, peer: str) -> tuple[RailWay, ...]:
    """One node's ways to another. The first rails belong together whatever their addresses say."""
    found = ((rail, _far(i, rail, ends[peer])) for i, rail in enumerate(ends[node]))
    return tuple(RailWay(node, rail, peer, far) for rail, far in found if far is not None)


def _far(place: int, rail: Rail, others: Sequence[Rail]) -> Rail | None:
    """By subnet; where twins share one, by place."""
    near = [o for o in others if rail.network and ipaddress.IPv4Address(o.address) in rail.network]
    if len(others) > place and others[place] in near:
        return others[place]
    return near[0] if near else (others[0] if place == 0 and others else None)


# --- what is wrong with them


def judge_paths(paths: Paths) -> tuple[Finding, ...]:
    """What stands in the way between nodes: `reach`, `route`, `mtu path`; an ok each where nothing does."""
    found = [*_unasked(paths), *_unreached(paths), *_astray(paths), *_cut_short(paths)]
    wrong = {f.check for f in found}
    right = _right(paths).items() if paths.paths else ()
    return (*found, *(ok(check, "", text) for check, text in right if check not in wrong))


def _unasked(paths: Paths) -> Iterator[Finding]:
    for node, error in paths.errors.items():
        bad = fail if isinstance(error, Unreachable) else warn
        yield bad("reach", node, f"its links were not tried: {error.cause}", error.hint)
    for first, *_ in groups([p for p in paths.paths if not p.tried], lambda p: p.way.node):
        why = first.small.trouble or first.large.trouble
        remedy = "sudo apt install iputils-ping" if "not there" in why else ""
        yield warn("reach", first.way.node, f"it could not ping: {why or 'nobody said why'}", remedy)


def _unreached(paths: Paths) -> Iterator[Finding]:
    remedy = "look at the cable and at `ip addr` on both; sparkconsole fabric test again"
    for node, ways_of in _by_culprit([p for p in paths.paths if p.tried]):
        yield fail("reach", node, f"no answer {ways_of}", remedy)


def _astray(paths: Paths) -> Iterator[Finding]:
    """A line per node and interface, with everyone that is not reached over it."""
    lost = [p for p in paths.paths if p.route.interface != p.way.rail.interface]
    known = [p for p in lost if p.route.interface or p.route.trouble]
    for same in groups(known, lambda p: (p.way.node, p.way.rail.interface, p.route)):
        those, route = [p.way for p in same], same[0].route
        node, interface = those[0].node, those[0].rail.interface
        over = f"over {route.interface}" + (f" by {route.gateway}" if route.gateway else "")
        taken = f"goes {over}" if route.interface else f"has no way ({route.trouble})"
        text = f"what is for {_peers(those)} {taken}, and should go over {interface}"
        look = f"ip route get {those[0].far.address} from {those[0].rail.address}"
        yield fail("route", node, text, f"{_OWN_SUBNET}; {look}")


_OWN_SUBNET = "give each fast interface a subnet of its own, and no gateway"


def _peers(those: Sequence[RailWay]) -> str:
    return ", ".join(f"{w.far.address} ({w.peer})" for w in those)


def _cut_short(paths: Paths) -> Iterator[Finding]:
    """A way that says its limit, or whose far end has a smaller MTU, works; one that eats frames hangs."""
    short = [p for p in paths.paths if p.small.came_back and p.large.tried and not p.large.came_back]
    for same in groups([p for p in short if _limit(p)], lambda p: (p.way.peer, _limit(p))):
        those = [p.way for p in same]
        sent = " and ".join(map(str, sorted({w.rail.mtu or 0 for w in those})))
        over = ", ".join(dict.fromkeys(w.far.interface for w in those))
        senders = ", ".join(dict.fromkeys(w.node for w in those))
        text = f"MTU {_limit(same[0])} on {over}: frames of {sent} bytes from {senders} do not arrive"
        yield warn("mtu path", those[0].peer, text, _SAME_MTU)
    for those in groups([p.way for p in short if not _limit(p)], lambda w: w.node):
        size = max(w.rail.largest for w in those) + HEADERS
        why = "and nothing says why: connections will hang"
        text = f"frames of {size} bytes do not arrive at {_peers(those)}, {why}"
        yield fail("mtu path", those[0].node, text, f"{_SAME_MTU}, and on the switch")


def _limit(path: Path) -> int:
    """The smaller MTU that cuts the frames; 0: nobody has one."""
    far = path.way.far.mtu or 0
    return path.large.limit or (far if far < (path.way.rail.mtu or 0) else 0)


_SAME_MTU = "set MTU 9000 on both halves of the cable, on every node, in /etc/netplan/40-cx7.yaml"


def _by_culprit(tried: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Per interface: the one node that every closed path touches, or each node with what it does not get."""
    for there in groups(tried, lambda p: p.way.rail.interface):
        interface, bad = there[0].way.rail.interface, [p for p in there if not p.open]
        working = {n for p in there if p.open for n in p.ends}
        alone = set.intersection(*(p.ends for p in bad)) - working if bad else set()
        if len(alone) == 1 and len(set[str]().union(*(p.ends for p in there))) > 2:
            yield alone.pop(), f"from or to it over {interface}, by any node"
            continue
        for same in groups(bad, lambda p: p.way.node):
            missed = (f"{p.way.peer} ({p.way.far.address})" for p in same)
            yield same[0].way.node, f"over {interface} from {', '.join(missed)}"


def _right(paths: Paths) -> dict[str, str]:
    """What is said where nothing is wrong, by check."""
    times = [p.small.rtt_ms for p in paths.paths if p.small.rtt_ms is not None]
    slowest = f", {max(times):.2f} ms at most" if times else ""
    sizes = sorted({p.way.rail.largest + HEADERS for p in paths.paths})
    return {
        "reach": f"every node answers every other over the fabric{slowest}",
        "route": "every address is reached over its own interface",
        "mtu path": f"frames of {' and '.join(map(str, sizes))} bytes arrive whole, both ways",
    }
