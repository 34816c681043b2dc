"""All that the doctor wants to know, asked side by side: looks, paths, Ray, what is in the image."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkconsole.clock import together
from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.config.locked import locked
from sparkconsole.config.paths import write_private
from sparkconsole.errors import SparkError
from sparkconsole.fleet.diagnose.probe import probe
from sparkconsole.fleet.fabric.test import probe_paths
from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.fleet.serve.engine_death import death_findings
from sparkconsole.model.checks import ClusterEvidence, Finding, Look, Pace, networks
from sparkconsole.model.checks.rules import Rule
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.fabric.links import NodeNetwork
from sparkconsole.model.fabric.paths import judge_paths
from sparkconsole.model.probes import DEEPER, EVERYTHING, USUAL, Probe
from sparkconsole.model.ray import RayMember
from sparkconsole.model.serve.engine import LiveRank

KEPT = 50
"""Of so many images the contents are remembered."""


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """What is to be examined."""

    image: str
    container: str
    model: str = ""
    eth_if: str | None = None
    ib_if: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    probes: frozenset[Probe] = EVERYTHING
    last_known: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the journal says was served last, by model."""
    paces: tuple[Pace, ...] = ()


async def gather_evidence(
    fleet: Fleet, cluster: Cluster, asked: EvidenceRequest, kept: Path
) -> ClusterEvidence:
    """All that is wanted in two rounds, one login a node; what could not be asked is left out, not guessed.

    `kept` is the file that remembers what is in each image.
    """
    model = asked.model if Probe.MODEL in asked.probes else ""
    of_nodes = asked.probes & (USUAL | DEEPER)
    looks = await probe(fleet, asked.container, asked.image, asked=of_nodes, model=model)
    chosen = networks(cluster, looks, eth_if=asked.eth_if, ib_if=asked.ib_if)
    seen = {n: look for n, look in looks.items() if isinstance(look, Look)}
    of_links = together(
        _paths(fleet, {n: w for n, w in chosen.items() if isinstance(w, NodeNetwork)}, seen, asked),
        death_findings(fleet, asked.container, seen if Probe.RANKS in asked.probes else {}),
    )
    of_servers = together(_contents(fleet, asked, seen, kept), _ranks(fleet, asked, seen))
    (paths, deaths), (asked_ray, members, placements), (versions, ranks) = await together(
        of_links, _ray(fleet, seen, asked), of_servers
    )
    return ClusterEvidence(
        cluster, asked.image, asked.container, looks, chosen, versions, members, asked_ray,
        model=asked.model, rules=asked.rules, others=(*paths, *deaths),
        ranks=ranks, placements=placements, last_known=asked.last_known, paces=asked.paces,
    )  # fmt: skip


async def _paths(
    fleet: Fleet, chosen: Mapping[str, NodeNetwork], seen: Mapping[str, Look], asked: EvidenceRequest
) -> tuple[Finding, ...]:
    """Between the nodes that have a network; one alone has no paths."""
    if len(chosen) < 2 or Probe.PATHS not in asked.probes:
        return ()
    fabrics = {n: look.facts.fabric for n, look in seen.items()}
    return judge_paths(await probe_paths(fleet, chosen, fabrics))


Answered = tuple[bool, tuple[RayMember, ...] | None, int | None]


async def _ray(fleet: Fleet, seen: Mapping[str, Look], asked: EvidenceRequest) -> Answered:
    """Whether it was asked, its members, and how many placement groups.

    It is asked of the head alone, and only while its container runs.
    """
    look = seen.get(fleet.head)
    spec = look.launched if look else None
    if spec is None or Probe.RAY not in asked.probes:
        return False, None, None
    from sparkconsole.remote import ray

    members, placements, port = None, None, spec.dashboard_port
    with contextlib.suppress(SparkError):
        shell = await fleet.shell(fleet.head)
        members = await ray.members(shell, port)
        placements = await ray.placement_groups(shell, port)
    return True, members, placements


async def _ranks(
    fleet: Fleet, asked: EvidenceRequest, seen: Mapping[str, Look]
) -> dict[str, tuple[LiveRank, ...]]:
    """The servers in the containers that run; one that could not be asked is unknown."""
    running = [n for n, look in seen.items() if look.site is not None and look.site.running]
    if not running or Probe.RANKS not in asked.probes:
        return {}
    from sparkconsole.remote.serve.processes import live_ranks

    return answered(await fleet.ask(lambda shell: live_ranks(shell, asked.container), running))


async def _contents(
    fleet: Fleet, asked: EvidenceRequest, seen: Mapping[str, Look], kept: Path
) -> dict[str, dict[str, str]]:
    """Of each different image once, on the first node that has it; never again for the same content."""
    if Probe.CONTENTS not in asked.probes:
        return {}
    from sparkconsole.remote.image.contents import image_contents

    known = await asyncio.to_thread(_remembered, kept)
    first: dict[str, str] = {}
    for node, look in seen.items():
        if look.image is not None:
            first.setdefault(look.image.short, node)
    missing = {short: node for short, node in first.items() if short not in known}
    # Nothing when the container could not say it: that is unknown, and no fault.
    found = answered(await fleet.ask(lambda shell: image_contents(shell, asked.image), missing.values()))
    fresh = {short: found[node] for short, node in missing.items() if found.get(node)}
    if fresh:
        await asyncio.to_thread(_remember, kept, fresh)
    return {short: contents for short in first if (contents := fresh.get(short) or known.get(short))}


def _remembered(file: Path) -> dict[str, dict[str, str]]:
    """A file that is torn or foreign is as good as none."""
    with contextlib.suppress(OSError, ValueError, AttributeError, RecursionError):
        found = json.loads(bounded_bytes(file, regular=True))
        return {str(k): {str(n): str(v) for n, v in one.items()} for k, one in found.items()}
    return {}


def _remember(file: Path, fresh: Mapping[str, Mapping[str, str]]) -> None:
    """Beside what others keep meanwhile. What cannot be kept is asked again."""
    with contextlib.suppress(OSError), locked(file):
        known = {**_remembered(file), **fresh}
        write_private(file, json.dumps({short: dict(known[short]) for short in list(known)[-KEPT:]}))
