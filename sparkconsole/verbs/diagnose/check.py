"""`check`: what was detected on each node and everything that stands in the way; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.diagnose.probe import probe
from sparkconsole.fleet.serve.engine_death import death_findings
from sparkconsole.model.checks import (
    ClusterEvidence,
    Finding,
    Look,
    Severity,
    joined_findings,
    judge,
    networks,
)
from sparkconsole.model.fabric.links import NodeNetwork, environment
from sparkconsole.model.text.alike import whose
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.verbs.grammar.registry import FLAG, verb
from sparkconsole.verbs.grammar.session import Here


@verb("check")
async def check(
    session: Here,
    *,
    tag: Annotated[str | None, Parameter(name=["--tag", "-t"])] = None,
    name: str | None = None,
    eth_if: str | None = None,
    ib_if: str | None = None,
    env: Annotated[bool, FLAG] = False,
) -> Answer:
    """Look at every node and say what would hinder a launch; nothing is changed.

    Exit code 0 when nothing does (warnings allowed), 1 when something does, 3 when a node is unreachable.

    Parameters
    ----------
    tag
        Image to look for; without it the cluster's.
    name
        Name of the containers; without it the cluster's.
    eth_if
        Interface for Ethernet, the same on every node; without it detected on each.
    ib_if
        RDMA devices, with commas; without it detected on each.
    env
        Also show the variables that each node's container would get.
    """
    session.fleet.require_nodes()
    cluster = session.cluster
    image, container = tag or cluster.image, name or cluster.container
    looks = await probe(session.fleet, container, image)
    devices = tuple((ib_if or "").replace(",", " ").split())
    chosen = networks(cluster, looks, eth_if=eth_if, ib_if=devices)
    dead = await death_findings(session.fleet, container, looks)
    evidence = ClusterEvidence(cluster, image, container, looks, chosen, others=dead)
    return _answer(evidence, judge(evidence), env=env)


def _answer(evidence: ClusterEvidence, findings: tuple[Finding, ...], *, env: bool) -> Answer:
    nodes = [node_data(evidence, name) for name in evidence.looks]
    head, *workers = evidence.looks
    data = {
        "head": head,
        "workers": workers,
        "container": evidence.container,
        "image": evidence.image,
        "nodes": nodes,
        "findings": [f.as_data() for f in findings],
    }
    who = f"head {head}, workers {', '.join(workers) or 'none'}"
    what = f"container {evidence.container}, image {evidence.image}"
    parts: list[Sheet | str] = [f"{who}, {what}", _node_sheet(nodes)]
    if env:
        shown = [node for node in nodes if node["environment"]]
        parts += [Sheet.of(("variable", "value"), n["environment"].items(), title=n["node"]) for n in shown]
    return Answer(data, (*parts, findings_sheet(findings), verdict(findings)), exit_code(evidence, findings))


def node_data(evidence: ClusterEvidence, name: str) -> dict[str, Any]:
    """A node as `--json` gives it."""
    look, network = evidence.looks[name], evidence.networks.get(name)
    known = network if isinstance(network, NodeNetwork) else None
    return {
        "node": name,
        "role": "head" if name == next(iter(evidence.looks)) else "worker",
        "reachable": isinstance(look, Look),
        "eth_if": known.eth_if if known else None,
        "address": known.address if known else None,
        "hcas": list(known.hcas) if known else None,
        "gid_index": known.gid_index if known else None,
        "mtu": known.mtu if known else None,
        "environment": environment(known) if known else None,
        "image": look.image.short if isinstance(look, Look) and look.image else None,
        "image_unknown": not isinstance(look, Look) or look.site is None,
    }


def _node_sheet(nodes: list[dict[str, Any]]) -> Sheet:
    columns = ("node", "role", "ETH", "address", "HCAs", "GID", "MTU", "image")
    rows: list[tuple[object, ...]] = []
    for n in nodes:
        if not n["reachable"]:
            rows.append((n["node"], f"{n['role']}, unreachable", *["unknown"] * 6))
            continue
        hcas, image = ",".join(n["hcas"] or ()) or None, "unknown" if n["image_unknown"] else n["image"]
        link = (n["eth_if"], n["address"], hcas, n["gid_index"], n["mtu"])
        rows.append((n["node"], n["role"], *link, image))
    return Sheet.of(columns, rows)


def findings_sheet(findings: tuple[Finding, ...]) -> Sheet:
    """A line for each thing said, with the nodes of which it is said: the worst first, what is right last."""
    asked = {f.node: f.severity for f in findings if f.check == "reachable"}
    every = len(asked)
    whole = "all" if Severity.FAIL not in asked.values() else "all that answered"
    rows = []
    for each in sorted(joined_findings(findings), key=lambda each: _BADNESS.index(each.finding.severity)):
        found, where = each.finding, _where(each.nodes, every, whole)
        rows.append((found.severity, found.check, where, found.sentence, found.remedy))
    return Sheet.of(("", "check", "node", "what was found", "what to do"), rows)


_BADNESS = (Severity.FAIL, Severity.WARN, Severity.OK)
NAMED = 8
"""So many nodes are named; more are counted."""


def _where(nodes: Sequence[str], every: int, whole: str) -> str:
    """What is said of no node in particular is said of the `whole`; a few are named."""
    if not nodes:
        return whole
    if 1 < every == len(nodes):
        return "all"
    return ", ".join(nodes) if len(nodes) <= NAMED else whose(nodes, every)


def verdict(findings: tuple[Finding, ...]) -> str:
    """How many of each in a line: a thing that is said of many nodes counts once."""
    severities = [each.finding.severity for each in joined_findings(findings)]
    warned = severities.count(Severity.WARN)
    words = (f"{severities.count(Severity.FAIL)} failed", f"{warned} warning{'s' * (warned != 1)}")
    return f"{', '.join(words)}, {severities.count(Severity.OK)} ok"


def exit_code(evidence: ClusterEvidence, findings: tuple[Finding, ...]) -> int:
    """3 when a node is unreachable, 1 when a check failed."""
    errors = [a for a in evidence.looks.values() if isinstance(a, SparkError)]
    if any(isinstance(e, Unreachable) for e in errors):
        return 3
    return 1 if any(f.severity is Severity.FAIL for f in findings) else 0
