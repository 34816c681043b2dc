"""All that the doctor wants to know, asked side by side: looks, paths, Ray, what is in the image."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkconsole.config.paths import write_private
from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.gating import look_at_paths
from sparkconsole.fleet.looking import look_at
from sparkconsole.model.checks import Examined, Finding, Look, networks
from sparkconsole.model.checks.rules import Rule
from sparkconsole.model.cluster import Cluster
from sparkconsole.model.fabric import NodeNetwork
from sparkconsole.model.gate import judge_paths
from sparkconsole.model.ray import RayMember
from sparkconsole.remote.shell import Shell

KEPT = 50
"""Of so many images the contents are remembered."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be examined."""

    image: str
    container: str
    model: str = ""
    eth_if: str | None = None
    ib_if: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()


async def examine(fleet: Fleet, cluster: Cluster, asked: Question, kept: Path) -> Examined:
    """Everything in two rounds, one login a node; what could not be asked is left out, not guessed.

    `kept` is the file that remembers what is in each image.
    """
    looks = await look_at(fleet, asked.container, asked.image, thorough=True, model=asked.model)
    chosen = networks(cluster, looks, eth_if=asked.eth_if, ib_if=asked.ib_if)
    seen = {n: look for n, look in looks.items() if isinstance(look, Look)}
    others, members, versions = await asyncio.gather(
        _paths(fleet, {n: w for n, w in chosen.items() if isinstance(w, NodeNetwork)}, seen),
        _members(fleet, seen),
        _contents(fleet, asked.image, seen, kept),
    )
    return Examined(
        cluster,
        asked.image,
        asked.container,
        looks,
        chosen,
        versions,
        members,
        asked.model,
        asked.rules,
        others,
    )


async def _paths(
    fleet: Fleet, chosen: Mapping[str, NodeNetwork], seen: Mapping[str, Look]
) -> tuple[Finding, ...]:
    """Between the nodes that have a network; one alone has no paths."""
    if len(chosen) < 2:
        return ()
    fabrics = {n: look.facts.fabric for n, look in seen.items()}
    return judge_paths(await look_at_paths(fleet, chosen, fabrics))


async def _members(fleet: Fleet, seen: Mapping[str, Look]) -> tuple[RayMember, ...] | None:
    """Asked of the head alone, and only while its container runs."""
    look = seen.get(fleet.head)
    spec = look.launched if look else None
    if spec is None:
        return None
    from sparkconsole.remote import ray

    try:
        return await ray.members(await fleet.shell(fleet.head), spec.dashboard_port)
    except SparkError:
        return None


async def _contents(
    fleet: Fleet, tag: str, seen: Mapping[str, Look], kept: Path
) -> dict[str, dict[str, str]]:
    """Of each different image once, on the first node that has it; never again for the same content."""
    known = await asyncio.to_thread(_remembered, kept)
    first: dict[str, str] = {}
    for node, look in seen.items():
        if look.image is not None:
            first.setdefault(look.image.short, node)
    missing = {short: node for short, node in first.items() if short not in known}
    found = await asyncio.gather(*(_ask(fleet, node, tag) for node in missing.values()))
    fresh = {short: told for short, told in zip(missing, found, strict=True) if told}
    if fresh:
        await asyncio.to_thread(_remember, kept, {**known, **fresh})
    return {short: told for short in first if (told := fresh.get(short) or known.get(short))}


async def _ask(fleet: Fleet, node: str, tag: str) -> dict[str, str]:
    """Nothing when the container could not say it: that is unknown, and no fault."""
    from sparkconsole.remote.image_contents import image_contents

    async def question(shell: Shell) -> dict[str, str]:
        return await image_contents(shell, tag)

    told = (await fleet.ask(question, (node,)))[node]
    return {} if isinstance(told, SparkError) else told


def _remembered(file: Path) -> dict[str, dict[str, str]]:
    """A file that is torn or foreign is as good as none."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(k): {str(n): str(v) for n, v in told.items()} for k, told in found.items()}
    return {}


def _remember(file: Path, known: Mapping[str, Mapping[str, str]]) -> None:
    """What cannot be kept is asked again."""
    newest: Sequence[str] = list(known)[-KEPT:]
    with contextlib.suppress(OSError):
        write_private(file, json.dumps({short: dict(known[short]) for short in newest}))
