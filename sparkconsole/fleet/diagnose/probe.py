"""One look at every node, side by side: facts, container, image. Changes nothing, hides no error."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sparkconsole.clock import together
from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.checkpoint.weights import Checkpoint
from sparkconsole.model.checks import Look
from sparkconsole.model.docker import ImageIdentity
from sparkconsole.model.facts import NodeFacts
from sparkconsole.model.launch.site import Site
from sparkconsole.model.probes import USUAL, Probe
from sparkconsole.remote.shell import Shell


async def probe(
    fleet: Fleet, container: str, tag: str, *, asked: Collection[Probe] = USUAL, model: str = ""
) -> dict[str, Look | SparkError]:
    """Each node's look, or why there is none, head first; `model`: with what the node has of it."""

    async def question(shell: Shell) -> Look:
        look, found = await together(
            look_through(fleet, shell, container, tag, asked=asked), checkpoint_of(shell, model)
        )
        return replace(look, checkpoint=found)

    return await fleet.ask(question)


async def look_through(
    fleet: Fleet, shell: Shell, container: str, tag: str, *, asked: Collection[Probe] = USUAL
) -> Look:
    """One node's look; Unreachable, TimedOut or CommandFailed when there is none."""
    from sparkconsole.remote.node.facts import node_facts

    async def dated() -> tuple[NodeFacts, float | None, float]:
        asked_at = fleet.clock.now().timestamp()
        facts = await node_facts(shell, asked=asked)
        ahead = facts.clock_s - asked_at if facts.clock_s is not None else None
        return facts, ahead, max(0.0, fleet.clock.now().timestamp() - asked_at)

    # Side by side: an engine that is silent is waited for once, not by each question in turn.
    docker = _docker(shell, container, tag) if Probe.DOCKER in asked else _nothing()
    (facts, ahead, doubt), (site, image, trouble) = await together(dated(), docker)
    if facts.docker.installed and not facts.docker.permitted:
        site, image = None, None
    return Look(facts, site, image, trouble, ahead, clock_doubt_s=doubt)


async def checkpoint_of(shell: Shell, model: str) -> Checkpoint | None:
    """None: nobody asked, or the node could not say."""
    if not model:
        return None
    from sparkconsole.remote.checkpoint.files import checkpoint

    try:
        return await checkpoint(shell, model)
    except Unreachable:
        raise
    except SparkError:
        return None


_OfDocker = tuple[Site | None, ImageIdentity | None, SparkError | None]


async def _nothing() -> _OfDocker:
    """Nobody asks."""
    return None, None, None


async def _docker(shell: Shell, container: str, tag: str) -> _OfDocker:
    """A node whose engine does not answer is still a node that answered."""
    from sparkconsole.remote.docker import engine as docker
    from sparkconsole.remote.node.site import look

    try:
        return await look(shell, container), await docker.image(shell, tag), None
    except Unreachable:
        raise
    except SparkError as error:
        return None, None, error
