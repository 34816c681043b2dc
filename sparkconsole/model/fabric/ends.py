"""What each node's end of the fabric says before anything is sent: links, and GIDs that fit each other.

NCCL pairs the nodes' RDMA devices by their place in the list, so the judgements of the halves do too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev, NodeNetwork
from sparkconsole.model.finding import Finding, fail, ok, warn

NETPLAN = "/etc/netplan/40-cx7.yaml"
Chosen = Mapping[str, NodeNetwork]
Fabrics = Mapping[str, Fabric]
_ALIKE = f"give its interface an address like the others' in {NETPLAN}, or take it from both"
_MEET = f"give both ends of that half one subnet in {NETPLAN}, or choose with --ib-if"


def judge_ends(networks: Mapping[str, NodeNetwork | SparkError], fabrics: Fabrics) -> tuple[Finding, ...]:
    """`link`, `address` and `gid`: what is wrong, node by node; an ok for links and GIDs that are right."""
    chosen = {n: w for n, w in networks.items() if isinstance(w, NodeNetwork)}
    links = tuple(_links(networks)) or (ok("link", "", _ports(chosen)),)
    return (*links, *_addresses(chosen, fabrics), *halves(chosen, fabrics))


def _links(networks: Mapping[str, NodeNetwork | SparkError]) -> Iterator[Finding]:
    for node, network in networks.items():
        if isinstance(network, SparkError):
            check = "reachable" if isinstance(network, Unreachable) else "link"
            yield fail(check, node, network.cause, network.hint)
        else:
            yield from (warn("link", node, warning) for warning in network.warnings)


def _ports(chosen: Chosen) -> str:
    counts = {len(w.hcas) for w in chosen.values()}
    many = " or ".join(map(str, sorted(counts))) or "no"
    return f"{many} RDMA device{'' if counts == {1} else 's'} up on every node"


def _addresses(chosen: Chosen, fabrics: Fabrics) -> Iterator[Finding]:
    """A half with an address on one node and none on another: its device has other GIDs there."""
    for devices in _places(chosen, fabrics):
        netdevs = {n: d for n, hca in devices.items() if (d := fabrics[n].netdev(hca.netdev)) is not None}
        having = [n for n, d in netdevs.items() if d.addresses]
        for node in netdevs if having else ():
            if node not in having:
                text = f"{netdevs[node].name} has no IPv4 address, and that half has one on {having[0]}"
                yield fail("address", node, f"{text}: NCCL ends with errno 22", _ALIKE)


def halves(chosen: Chosen, fabrics: Fabrics) -> tuple[Finding, ...]:
    """What does not fit, else the good word where anything is known of GIDs."""
    known = [n for n in chosen if n in fabrics and any(h.gids for h in fabrics[n].hcas)]
    fit = (ok("gid", "", "the RDMA devices' GIDs fit each other"),) if len(known) > 1 else ()
    return (*_unlike(chosen, fabrics), *_strays(chosen, fabrics)) or fit


def _unlike(chosen: Chosen, fabrics: Fabrics) -> Iterator[Finding]:
    """A device with RoCE v2 over IPv4 cannot talk to one without (errno 22, or 61 where it is pinned)."""
    for there in _places(chosen, fabrics):
        known = {n: hca for n, hca in there.items() if hca.gids}
        mapped = {n: i for n, hca in known.items() if (i := hca.gid_index) is not None}
        for node in known if mapped else ():
            if node not in mapped:
                text = f"{known[node].device} has no GID for RoCE v2 over IPv4, {next(iter(mapped))}'s has"
                yield fail("gid", node, f"{text}: NCCL ends with errno 22 or 61", _ALIKE)
        if len(set(mapped.values())) > 1:
            indices = ", ".join(f"{n} {known[n].device} {i}" for n, i in mapped.items())
            text = f"RoCE v2 over IPv4 is at another GID index on each node: {indices}"
            yield warn("gid", "", text, "never pin NCCL_IB_GID_INDEX: NCCL finds it itself")


def _strays(chosen: Chosen, fabrics: Fabrics) -> Iterator[Finding]:
    """A second half in whose subnet no other node has one, where others have: it is cabled elsewhere."""
    seconds = {n: _second(fabrics[n], network) for n, network in chosen.items() if n in fabrics}
    for node, own in seconds.items():
        peers = [n for n in seconds if n != node]
        fast = [d for n in peers for h in fabrics[n].hcas if (d := fabrics[n].netdev(h.netdev)) is not None]
        hosts = [host for netdev in fast for host in netdev.hosts]
        for netdev in own if any(seconds[n] for n in peers) else ():
            if not netdev.meets(hosts):
                text = f"{netdev.name} {netdev.addresses[0]} is in a subnet with no other node's"
                yield fail("gid", node, f"{text}: NCCL ends with errno 110", _MEET)


def _second(fabric: Fabric, network: NodeNetwork) -> list[Netdev]:
    """The interfaces that a node uses beside the chosen one, as far as they have addresses."""
    used = fabric.netdevs_of(network.hcas)
    return [d for d in used if d.addresses and d.name != network.eth_if]


def _places(chosen: Chosen, fabrics: Fabrics) -> Iterator[dict[str, Hca]]:
    """Place by place the devices of the nodes with most of them: a list that lacks one pairs no further."""
    most = max((len(w.hcas) for w in chosen.values()), default=0)
    for place in range(most):
        names = {n: w.hcas[place] for n, w in chosen.items() if len(w.hcas) == most and n in fabrics}
        yield {n: h for n, name in names.items() for h in fabrics[n].hcas if h.device == name}
