"""The fast links of one machine and what is chosen from them: the interface for TCP, the devices for RDMA.

Facts about GB10: each cage has two PCIe halves, so one cable is two netdevs and two RDMA devices (twins).
Twins have the same function digit and one `sys_image_guid` with the whole machine; both are needed for full
bandwidth, one address is enough. No tool promises an order of lines.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice

from sparkconsole.errors import SparkError

_FUNCTION = re.compile(r"f(\d+)(?:np\d+)?$", re.ASCII)
_WITHIN = ("lo", "veth", "docker", "br-", "virbr")
"""Interfaces that lead to nobody outside begin so."""
_DOMAIN = re.compile(r"P\d+(?=p\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gid:
    """One entry of a port's GID table."""

    index: int
    value: str
    kind: str
    """`RoCE v2` or `IB/RoCE v1`."""

    @property
    def routable(self) -> bool:
        """RoCE v2 over an IPv4 address: what NCCL should use."""
        return self.kind == "RoCE v2" and self.value.startswith("0000:0000:0000:0000:0000:ffff:")


@dataclass(frozen=True, slots=True)
class Hca:
    """One RDMA device's port."""

    device: str
    netdev: str = ""
    port: int = 1
    up: bool | None = None
    """None: nobody said."""
    rate: str = ""
    """As sysfs says; twins claim 200 Gb/sec each and share it."""
    image_guid: str = ""
    """The machine's, shared by all its ports."""
    gids: tuple[Gid, ...] = ()
    phys_state: str = ""
    """`LinkUp`, `Polling`, `Disabled`."""

    @property
    def cage(self) -> tuple[str, str]:
        """The same for twins: the machine and the function digit; without a GUID the name less its domain."""
        return _cage(self.device, self.netdev, self.image_guid)

    @property
    def gid_index(self) -> int | None:
        """Where RoCE v2 over IPv4 stands in the table; normally 3, but not always."""
        return next((g.index for g in self.gids if g.routable), None)


@lru_cache(maxsize=1024)
def _cage(device: str, netdev: str, image_guid: str) -> tuple[str, str]:
    """Asked for every node and every picture of it, always with the same few names."""
    named = next((n for n in (device, netdev) if _FUNCTION.search(n)), "")
    digit = _FUNCTION.search(named)
    if digit is None:
        return (image_guid, device)
    return (image_guid, digit[1] if image_guid else _DOMAIN.sub("", named))


@dataclass(frozen=True, slots=True)
class Netdev:
    """One network interface."""

    name: str
    addresses: tuple[str, ...] = ()
    """IPv4 with prefix length."""
    mtu: int | None = None
    up: bool | None = None
    speed_mbit: int | None = None

    @property
    def hosts(self) -> tuple[ipaddress.IPv4Address, ...]:
        """Its addresses alone."""
        return tuple(ipaddress.IPv4Interface(a).ip for a in self.addresses)

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network, ...]:
        """The subnets it is in."""
        return tuple(ipaddress.IPv4Interface(a).network for a in self.addresses)

    @property
    def link_local(self) -> bool:
        """All it has is 169.254: gone or changed after a reboot."""
        return bool(self.hosts) and all(host.is_link_local for host in self.hosts)

    def meets(self, hosts: Collection[ipaddress.IPv4Address]) -> bool:
        """One of these addresses is in a subnet of its."""
        return any(host in network for network in self.networks for host in hosts)


@dataclass(frozen=True, slots=True)
class Fabric:
    """What a machine says of its links."""

    hcas: tuple[Hca, ...] = ()
    netdevs: tuple[Netdev, ...] = ()
    unparsed: tuple[str, ...] = ()
    """Lines that were not understood."""

    def netdev(self, name: str) -> Netdev | None:
        """The interface of that name."""
        return next((n for n in self.netdevs if n.name == name), None)

    @property
    def up(self) -> tuple[Hca, ...]:
        """RDMA ports with a link."""
        return tuple(h for h in self.hcas if h.up)

    def fast(self) -> tuple[Netdev, ...]:
        """Interfaces of RDMA ports with a link, in the order of the devices."""
        return self._netdevs(self.up)

    def netdevs_of(self, devices: Collection[str]) -> tuple[Netdev, ...]:
        """The interfaces of these RDMA devices, in the order in which the machine lists them."""
        return self._netdevs(h for h in self.hcas if h.device in devices)

    def _netdevs(self, hcas: Iterable[Hca]) -> tuple[Netdev, ...]:
        return tuple(n for h in hcas if (n := self.netdev(h.netdev)) is not None)


@dataclass(frozen=True, slots=True)
class NodeNetwork:
    """What one node uses."""

    eth_if: str
    address: str
    hcas: tuple[str, ...] = ()
    mtu: int | None = None
    gid_index: int | None = None
    """Told, not pinned: a pinned index breaks when the table moves."""
    warnings: tuple[str, ...] = ()
    ring: bool = False
    """Each pair of nodes has a cable of its own: no fast interface reaches all of them."""


def choose_network(
    fabric: Fabric, *, eth_if: str | None = None, ib_if: Sequence[str] = (), peers: Sequence[Fabric] = ()
) -> NodeNetwork:
    """The interface and RDMA devices of one node; what a person said wins.

    Ethernet: an Up interface with IPv4, reaching a peer first, lasting address first, without capital P first
    (the seed's rule for twins); in a ring the network that all share, as NVIDIA's own scripts for rings do.
    RDMA: every device of the cages that reach a peer, twins included.
    """
    ring = is_ring(fabric, peers)
    shared = _shared_by_all(fabric, peers) if ring else None
    netdev = _asked_for(fabric, eth_if) if eth_if else shared or _best(fabric, peers)
    hcas = _named(fabric, ib_if) if ib_if else _reaching(fabric, netdev, peers)
    first = next((h for h in hcas if h.netdev == netdev.name), hcas[0] if hcas else None)
    return NodeNetwork(
        eth_if=netdev.name,
        address=str(netdev.hosts[0]),
        hcas=tuple(h.device for h in hcas),
        mtu=netdev.mtu,
        gid_index=first.gid_index if first else None,
        warnings=tuple(_warnings(fabric, netdev, hcas, peers, chosen=bool(ib_if))),
        ring=ring,
    )


def is_ring(fabric: Fabric, peers: Sequence[Fabric]) -> bool:
    """Cables reach every peer, and no interface reaches them all: three nodes without a switch."""
    each = [[p for p in peers if reaches(n, (p,))] for n in fabric.fast()]
    everyone = all(any(p in found for found in each) for p in peers)
    return len(peers) > 1 and everyone and not any(len(found) == len(peers) for found in each)


def _shared_by_all(fabric: Fabric, peers: Sequence[Fabric]) -> Netdev | None:
    """The interface beside the fast ones that reaches every peer, a wired one first; None: there is none."""
    theirs = [{host for n in slow_ports(p) for host in n.hosts} for p in peers]
    found = [n for n in slow_ports(fabric) if all(n.meets(each.difference(n.hosts)) for each in theirs)]
    return min(found, key=lambda n: (n.name.startswith("wl"), -(n.speed_mbit or 0), n.name), default=None)


def slow_ports(fabric: Fabric) -> list[Netdev]:
    """The machine's own interfaces that are no RDMA device's: the 10G port, Wi-Fi."""
    fast = {h.netdev for h in fabric.hcas}
    outside = (n for n in fabric.netdevs if not n.name.startswith(_WITHIN) and n.up is not False)
    return [n for n in outside if n.name not in fast]


def _asked_for(fabric: Fabric, name: str) -> Netdev:
    netdev = fabric.netdev(name)
    if netdev is None:
        known = ", ".join(n.name for n in fabric.netdevs) or "none"
        raise SparkError(f"there is no interface {name}", hint=f"--eth-if must be one of: {known}")
    if not netdev.addresses:
        raise SparkError(f"{name} has no IPv4 address", hint="give it one in /etc/netplan/40-cx7.yaml")
    return netdev


def _best(fabric: Fabric, peers: Sequence[Fabric]) -> Netdev:
    if not fabric.up:
        raise SparkError(
            "no RDMA port has a link" if fabric.hcas else "no RDMA port shows at all",
            hint="plug the QSFP cable in (without one the ConnectX-7 may be powered off), "
            "or name an interface with --eth-if (slow without RDMA)",
        )
    addressed = [n for n in fabric.fast() if n.addresses]
    if not addressed:
        cause = f"no fast interface has an IPv4 address (up: {', '.join(h.netdev for h in fabric.up)})"
        raise SparkError(cause, hint="give one an address in /etc/netplan/40-cx7.yaml")
    return min(addressed, key=lambda n: (-_reached(n, peers), n.link_local, "P" in n.name))


def reaches(netdev: Netdev, peers: Iterable[Fabric]) -> bool:
    """A peer's fast interface has an address in one of its subnets."""
    return _reached(netdev, peers) > 0


def _reached(netdev: Netdev, peers: Iterable[Fabric]) -> int:
    """How many peers have such an address."""
    return sum(netdev.meets([host for n in p.fast() for host in n.hosts]) for p in peers)


def _named(fabric: Fabric, names: Sequence[str]) -> tuple[Hca, ...]:
    known = {h.device: h for h in fabric.hcas}
    unknown = [n for n in names if n not in known]
    if unknown:
        hint = f"--ib-if must be of: {', '.join(known) or 'none'}"
        raise SparkError(f"there is no RDMA device {', '.join(unknown)}", hint=hint)
    return tuple(known[n] for n in names)


def _reaching(fabric: Fabric, netdev: Netdev, peers: Sequence[Fabric]) -> tuple[Hca, ...]:
    cages = {h.cage for h in fabric.up if (n := fabric.netdev(h.netdev)) and reaches(n, peers)}
    own = {h.cage for h in fabric.up if h.netdev == netdev.name}
    chosen = (h for h in fabric.up if h.cage in (cages or own))
    return tuple(sorted(chosen, key=lambda h: ("P" in h.device, h.device)))


def _warnings(
    fabric: Fabric, netdev: Netdev, hcas: Sequence[Hca], peers: Sequence[Fabric], *, chosen: bool
) -> Iterable[str]:
    if netdev.link_local:
        yield f"{netdev.name} has only a link-local address: it may change at a reboot"
    if not hcas:
        yield f"{netdev.name} has no RDMA device: NCCL will use TCP, ten times slower"
        return
    if chosen:
        yield from (f"{hca.device} was named and has no link" for hca in hcas if hca.up is False)
    else:
        yield from _left_out(fabric, netdev, hcas, peers)
    for hca in hcas:
        if hca.netdev == netdev.name and hca.gids and hca.gid_index is None:
            yield f"{hca.device} has no GID for RoCE v2 over IPv4: NCCL may not find a way"
    yield from _disagreeing(fabric, hcas)


def _left_out(fabric: Fabric, netdev: Netdev, hcas: Sequence[Hca], peers: Sequence[Fabric]) -> Iterable[str]:
    """Why an RDMA device with a link is not used, as far as anybody looked, and which have no twin's link."""
    used = {h.device for h in hcas}
    left = [h.device for h in fabric.up if h.device not in used]
    if left:
        why = "reaches no other node" if peers else f"is on another port than {netdev.name}"
        yield f"{', '.join(left)} is up but {why}: left out"
    for hca in hcas:
        if any(h.cage == hca.cage and h.device != hca.device and h.up is False for h in fabric.hcas):
            yield f"only {hca.device} of its port is up: half the bandwidth"


def _disagreeing(fabric: Fabric, hcas: Sequence[Hca]) -> Iterable[str]:
    netdevs = [n for name in dict.fromkeys(h.netdev for h in hcas) if (n := fabric.netdev(name))]
    mtus = {n.name: n.mtu for n in netdevs if n.mtu is not None}
    if len(set(mtus.values())) > 1:
        text = ", ".join(f"{name} {mtu}" for name, mtu in mtus.items())
        yield f"MTU differs between its ports: {text}; the smaller one slows both"
    pairs = ((a, b) for a, b in combinations(netdevs, 2) if not set(a.networks).isdisjoint(b.networks))
    for one, other in islice(pairs, 1):
        yield f"{one.name} and {other.name} are in one subnet: routing may mix them"


def interface_at(fabric: Fabric, address: str | None) -> str | None:
    """The interface with the address a person gave (None: none was given); SparkError when none has it."""
    if address is None:
        return None
    for netdev in fabric.netdevs:
        if address in map(str, netdev.hosts):
            return netdev.name
    cause = f"no interface has the fabric_address {address}"
    raise SparkError(cause, hint="correct it, or leave it out: it is detected")


def is_fabric_address(fabric: Fabric, address: str) -> bool:
    """The address belongs to an RDMA port of this machine, and not to the 10G or the Wi-Fi interface."""
    return address in (str(host) for n in fabric.fast() for host in n.hosts)


_RING = {"NCCL_IB_SUBNET_AWARE_ROUTING": "1", "NCCL_IB_MERGE_NICS": "0", "NCCL_NET_PLUGIN": "none"}
"""NVIDIA's for three nodes in a ring: each peer by the device that has its subnet."""


def environment(network: NodeNetwork, *, nccl_debug: str | None = None) -> dict[str, str]:
    """A node's twelve variables, as run-cluster-node.sh of the old scripts has them; and those of a ring."""
    own = ("VLLM_HOST_IP", "RAY_NODE_IP_ADDRESS", "RAY_OVERRIDE_NODE_IP_ADDRESS")
    interface = (
        "MN_IF_NAME", "UCX_NET_DEVICES", "NCCL_SOCKET_IFNAME", "OMPI_MCA_btl_tcp_if_include",
        "GLOO_SOCKET_IFNAME", "TP_SOCKET_IFNAME",
    )  # fmt: skip
    return {
        **dict.fromkeys(own, network.address),
        **dict.fromkeys(interface, network.eth_if),
        "NCCL_IB_HCA": ",".join(network.hcas),
        "NCCL_IB_DISABLE": "0" if network.hcas else "1",
        "RAY_memory_monitor_refresh_ms": "0",
        **(_RING if network.ring else {}),
        **({"NCCL_DEBUG": nccl_debug} if nccl_debug else {}),
    }
