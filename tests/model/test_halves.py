"""Halves of cables for `doctor`: an address whose GID is missing and a subnet that never meets are red."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.model.checks import ClusterEvidence, Look
from sparkconsole.model.checks.network import unmatched
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.fabric.links import Fabric
from sparkconsole.model.facts import NodeFacts
from tests.model.test_gate import fabric, network

SECOND = "enP2p1s0f1np1"


def without_gid(number: int) -> Fabric:
    """Its second half has an address, and the GID table was not told."""
    whole = fabric(number)
    return replace(whole, hcas=(whole.hcas[0], replace(whole.hcas[1], gids=whole.hcas[1].gids[:1])))


def elsewhere(number: int) -> Fabric:
    whole = fabric(number)
    return replace(
        whole, netdevs=(whole.netdevs[0], replace(whole.netdevs[1], addresses=(f"10.0.9.{number}/24",)))
    )


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (fabric(2), []),
        (fabric(2, gid=5), []),
        (fabric(2, without=SECOND), []),
        (without_gid(2), [("address", "n2", "errno 22")]),
        (elsewhere(2), [("address", "n1", "errno 110"), ("address", "n2", "errno 110")]),
    ],
    ids=["fits", "another index is nobody's trouble", "told of the address", "no gid", "elsewhere"],
)
def test_halves_that_do_not_fit(second: Fabric, expected: list[tuple[str, str, str]]) -> None:
    fabrics = {"n1": fabric(1), "n2": second}
    evidence = ClusterEvidence(
        Cluster(nodes=tuple(Node(name=n, address=n) for n in fabrics)),
        "image",
        "container",
        {n: Look(NodeFacts(n, fabric=f)) for n, f in fabrics.items()},
        {n: network(i) for i, n in enumerate(fabrics, 1)},
    )
    found = list(unmatched(evidence))
    assert [(f.check, f.node) for f in found] == [(check, node) for check, node, _ in expected]
    assert all(words in f.sentence for f, (_, _, words) in zip(found, expected, strict=True))
