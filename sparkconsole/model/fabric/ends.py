"""What each node's end of the fabric says before anything is sent: links, and GIDs that fit each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.checks.network import ALIKE, halves, places
from sparkconsole.model.fabric.links import Fabric, NodeNetwork


def judge_ends(
    networks: Mapping[str, NodeNetwork | SparkError], fabrics: Mapping[str, Fabric]
) -> tuple[Finding, ...]:
    """`link`, `address` and `gid`: what is wrong, node by node; an ok for links and GIDs that are right."""
    links = tuple(_links(networks))
    chosen = {n: w for n, w in networks.items() if isinstance(w, NodeNetwork)}
    ok = Finding("link", Severity.OK, "", _ports(chosen))
    return (*(links or (ok,)), *_addresses(chosen, fabrics), *halves(chosen, fabrics))


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


def _addresses(chosen: Mapping[str, NodeNetwork], fabrics: Mapping[str, Fabric]) -> Iterator[Finding]:
    """A half with an address on one node and none on another: its device has other GIDs there."""
    for devices in places(chosen, fabrics):
        netdevs = {n: d for n, hca in devices.items() if (d := fabrics[n].netdev(hca.netdev)) is not None}
        having = [n for n, d in netdevs.items() if d.addresses]
        for node in netdevs if having else ():
            if node not in having:
                text = f"{netdevs[node].name} has no IPv4 address, and that half has one on {having[0]}"
                yield Finding("address", Severity.FAIL, node, f"{text}: NCCL ends with errno 22", ALIKE)
