"""What each node's end of the fabric says before anything is sent: links, and GIDs that fit each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.fabric import Fabric, Hca, NodeNetwork

_ADDRESS = "give its interface an address like the others' in /etc/netplan/40-cx7.yaml, or take it from both"


def judge_ends(
    networks: Mapping[str, NodeNetwork | SparkError], fabrics: Mapping[str, Fabric]
) -> tuple[Finding, ...]:
    """`link`, `address` and `gid`: what is wrong, node by node; an ok for links and GIDs that are right."""
    links = tuple(_links(networks))
    chosen = {n: w for n, w in networks.items() if isinstance(w, NodeNetwork)}
    addresses = tuple(_addresses(chosen, fabrics))
    gids = tuple(_gids(chosen, fabrics))
    ok = Finding("link", Severity.OK, "", _ports(chosen))
    fits = Finding("gid", Severity.OK, "", "the RDMA devices' GIDs fit each other")
    named = any(h.gids for f in fabrics.values() for h in f.hcas)
    return (*(links or (ok,)), *addresses, *(gids or ((fits,) if named and len(chosen) > 1 else ())))


def _links(networks: Mapping[str, NodeNetwork | SparkError]) -> Iterator[Finding]:
    for node, network in networks.items():
        if isinstance(network, Unreachable):
            yield Finding("reachable", Severity.FAIL, node, network.cause, network.hint)
        elif isinstance(network, SparkError):
            yield Finding("link", Severity.FAIL, node, network.cause, network.hint)
        else:
            for warning in network.warnings:
                yield Finding("link", Severity.WARN, node, warning)


def _ports(networks: Mapping[str, NodeNetwork]) -> str:
    counts = {len(w.hcas) for w in networks.values()}
    many = " or ".join(map(str, sorted(counts))) or "no"
    return f"{many} RDMA device{'' if counts == {1} else 's'} up on every node"


def _addresses(networks: Mapping[str, NodeNetwork], fabrics: Mapping[str, Fabric]) -> Iterator[Finding]:
    """A half with an address on one node and none on another: its device has other GIDs there."""
    for place in range(max((len(w.hcas) for w in networks.values()), default=0)):
        devices = {n: hca for n, w in networks.items() if (hca := _device(w, fabrics.get(n), place))}
        netdevs = {n: d for n, hca in devices.items() if (d := fabrics[n].netdev(hca.netdev)) is not None}
        have = {n: len(d.addresses) for n, d in netdevs.items() if d.addresses}
        for node in netdevs if have else ():
            if node not in have:
                told = f"{netdevs[node].name} has no IPv4 address, and that half has one on {_first(have)}"
                yield Finding("address", Severity.FAIL, node, f"{told}: NCCL ends with errno 22", _ADDRESS)


def _gids(networks: Mapping[str, NodeNetwork], fabrics: Mapping[str, Fabric]) -> Iterator[Finding]:
    """Devices are paired by their place. A table with RoCE v2 over IPv4 cannot talk to one without."""
    most = max((len(w.hcas) for w in networks.values()), default=0)
    for place in range(most):
        there = {n: hca for n, w in networks.items() if (hca := _device(w, fabrics.get(n), place))}
        known = {n: hca for n, hca in there.items() if hca.gids}
        with_v4 = {n: i for n, hca in known.items() if (i := hca.gid_index) is not None}
        for node in known if with_v4 else ():
            if node not in with_v4:
                told = f"{known[node].device} has no GID for RoCE v2 over IPv4, {_first(with_v4)}'s has"
                yield Finding("gid", Severity.FAIL, node, f"{told}: NCCL ends with errno 22 or 61", _ADDRESS)
        if len(set(with_v4.values())) > 1:
            said = ", ".join(f"{n} {known[n].device} {i}" for n, i in with_v4.items())
            told = f"RoCE v2 over IPv4 is at another GID index on each node: {said}"
            yield Finding("gid", Severity.WARN, "", told, "never pin NCCL_IB_GID_INDEX; it finds them itself")


def _device(network: NodeNetwork, fabric: Fabric | None, place: int) -> Hca | None:
    if fabric is None or place >= len(network.hcas):
        return None
    return next((h for h in fabric.hcas if h.device == network.hcas[place]), None)


def _first(names: Mapping[str, int]) -> str:
    return next(iter(names))
