"""Whether the halves of the nodes' cables fit each other: GIDs of one kind, and subnets that meet.

NCCL pairs the nodes' RDMA devices by their place in the list, so the judgements do too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from sparkconsole.model.checks.evidence import ClusterEvidence, Finding, Severity
from sparkconsole.model.fabric.links import Fabric, Hca, Netdev, NodeNetwork

Chosen = Mapping[str, NodeNetwork]
Fabrics = Mapping[str, Fabric]
ALIKE = "give its interface an address like the others' in /etc/netplan/40-cx7.yaml, or take it from both"
_MEET = "give both ends of that half one subnet in /etc/netplan/40-cx7.yaml, or choose with --ib-if"


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
