"""What a look at a node would find once plans were carried out: today's answer with their effects on it.

Pure: a forecast is the effects in their order. What nothing touches is as it is found now; what only the run
can know is a named blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

from sparkconsole.model.checkpoint.files import CheckpointFiles
from sparkconsole.model.docker import Container, DiskUsage, ImageIdentity
from sparkconsole.model.facts import Memory, NodeFacts
from sparkconsole.model.foresight.effect import (
    BuildCacheGone,
    ClusterChanged,
    ContainerGone,
    ContainerStarted,
    Effect,
    ImageGone,
    ImageNamed,
    JobEnded,
    ModelThere,
    OnNode,
    RayFormed,
    Rebooted,
    ServerGone,
    ServerUp,
)
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.history import under
from sparkconsole.model.launch.site import Site
from sparkconsole.model.page_cache import RootWay
from sparkconsole.model.ray import RayMember
from sparkconsole.model.serve.engine import LiveRank

SSH_PORT = 22
ENDED_BY_REBOOT = 255
"""How a container's end by a reboot reads; which status it is, docker says afterwards."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The effects of the plans so far, in their order."""

    effects: tuple[Effect, ...] = ()

    def after(self, more: Iterable[Effect]) -> Forecast:
        """With another plan carried out."""
        return Forecast((*self.effects, *more))

    @property
    def inventory(self) -> str | None:
        """What cluster.toml says; None: what it says now."""
        return next((e.text for e in reversed(self.effects) if isinstance(e, ClusterChanged)), None)

    def on(self, node: str) -> NodeForecast:
        """Of one node."""
        return NodeForecast(node, self.effects)


@dataclass(frozen=True, slots=True)
class NodeForecast:
    """What each question finds on one node then, given what it finds now."""

    node: str
    effects: tuple[Effect, ...] = ()

    @property
    def _own(self) -> Iterator[OnNode]:
        """Those of this node alone."""
        return (e for e in self.effects if isinstance(e, OnNode) and e.node == self.node)

    # --- images

    def images(self, now: Iterable[ImageIdentity]) -> tuple[ImageIdentity, ...]:
        """Every image, once per name; those without a name have none."""
        found = list(now)
        for effect in self.effects:
            match effect:
                case ImageNamed(node=self.node, image=image):
                    found = _renamed(found, image)
                case ImageGone(node=self.node, tag=tag, id=id_):
                    found = [i for i in found if not _is(i, tag, id_)]
        return tuple(found)

    def image(self, tag: str, now: ImageIdentity | None) -> ImageIdentity | None:
        """What the name means."""
        found = under(tag, self.images([now] if now else []))
        return replace(found, tag=tag) if found else None

    @property
    def storage_changed(self) -> bool:
        """How much is free where images are kept is not known before."""
        return any(isinstance(e, ImageNamed | ImageGone | BuildCacheGone) for e in self._own)

    def usage(self, now: DiskUsage) -> DiskUsage:
        """What images and build cache take up, as far as that is known."""
        gone = any(isinstance(e, BuildCacheGone) for e in self._own)
        kept = replace(now, cache_bytes=0, cache=()) if gone else now
        return replace(kept, free_bytes=None) if self.storage_changed else kept

    # --- containers and what runs in them

    @property
    def renewed(self) -> frozenset[str]:
        """Names of containers that are not the ones of now."""
        return frozenset(e.name for e in self._own if isinstance(e, ContainerStarted | ContainerGone))

    @property
    def rebooted(self) -> bool:
        """Nothing of what runs now runs then."""
        return any(isinstance(e, Rebooted) for e in self._own)

    def found(self, container: str, now: Container | None) -> Container | None:
        """The container of that name."""
        return next((c for c in self.containers([now] if now else []) if c.name == container), None)

    def containers(self, now: Iterable[Container]) -> tuple[Container, ...]:
        """All of them."""
        there = {c.name: c for c in now}
        for effect in self.effects:
            match effect:
                case ContainerStarted(node=self.node, container=started):
                    there[started.name] = started
                case ContainerGone(node=self.node, name=name):
                    there.pop(name, None)
                case Rebooted(node=self.node):
                    for name, c in there.items():
                        there[name] = replace(c, state="exited", exit_code=ENDED_BY_REBOOT, pids=frozenset())
        return tuple(there.values())

    def ranks(self, container: str, now: Iterable[LiveRank]) -> tuple[LiveRank, ...]:
        """The servers' processes in the container; `now`: none where it is not the container of now."""
        stay = () if self._ended else (r for r in now if not self._stopped(container, r.port))
        come = (r for server in self._servers() if server.container == container for r in server.ranks)
        return (*stay, *(r for r in come if r.node == self.node))

    def listening(self, now: Iterable[int], held: Iterable[int]) -> frozenset[int]:
        """Ports somebody listens on; `held`: those of now on which the cluster's own servers do."""
        found = {port for port in now if not self._stopped("", port)} - set(held if self._ended else ())
        for effect in self.effects:
            match effect:
                case ContainerStarted(node=self.node, ports=ports):
                    found |= ports
                case ContainerGone(node=self.node, ports=ports):
                    found -= ports
                case Rebooted(node=self.node):
                    found &= {SSH_PORT}
        return frozenset(found | {s.port for s in self._servers() if s.node == self.node})

    def server(self, port: int) -> ServerUp | bool | None:
        """Who answers on the port: a server that was started before, None: nobody; True: whoever does now."""
        come = next((s for s in self._servers() if (s.node, s.port) == (self.node, port)), None)
        was = any(isinstance(e, ServerUp) and (e.node, e.port) == (self.node, port) for e in self.effects)
        return come if come or was or self._ended or self._stopped("", port) else True

    @property
    def _ended(self) -> bool:
        """The servers of now have ended: with a container of theirs, on whichever node that was."""
        return any(isinstance(e, ContainerGone | Rebooted) for e in self.effects)

    def _stopped(self, container: str, port: int) -> bool:
        """The server of now on that port was ended; `container` empty: whichever it ran in."""
        gone = (e for e in self.effects if isinstance(e, ServerGone) and self.node in e.nodes)
        return any(e.port == port and container in ("", e.container) for e in gone)

    def _servers(self) -> tuple[ServerUp, ...]:
        """Those that were started before and run still, in the whole cluster."""
        found: list[ServerUp] = []
        for effect in self.effects:
            found = [server for server in found if not _ends(effect, server)]
            found += [effect] if isinstance(effect, ServerUp) else []
        return tuple(found)

    def members(self, port: int) -> tuple[RayMember, ...] | bool | None:
        """Ray's members at that port of its head; None: it does not answer; True: those of now."""
        found: tuple[RayMember, ...] | bool | None = True
        for effect in self.effects:
            match effect:
                case RayFormed(node=self.node) if effect.port == port:
                    found = effect.members
                case ContainerStarted(node=node) | ContainerGone(node=node) | Rebooted(node=node):
                    if node == self.node:
                        found = None
                    elif isinstance(found, tuple):
                        # Members to come are called by their nodes; who is one of now, its container tells.
                        found = tuple(member for member in found if member.id != node)
        return found

    def site(self, container: str, now: Site, held: Iterable[int], total: int) -> Site:
        """The place of a launch; `total`: all of its memory, in bytes."""
        available, listening = self.available(now.available_bytes, total), self.listening(now.listening, held)
        found = self.found(container, now.found)
        return replace(now, available_bytes=available, listening=listening, found=found)

    def facts(self, now: NodeFacts) -> NodeFacts:
        """What a machine says of itself: its memory, who computes, what is free."""
        changed = {"docker"} if self.storage_changed else set()
        free = {what: count for what, count in now.free.items() if what not in changed}
        processes = () if self.freed else now.gpu_processes
        memory = self.memory(now.memory) if now.memory else None
        return replace(now, memory=memory, gpu_processes=processes, free=free)

    # --- memory

    @property
    def memory_changed(self) -> bool:
        """A server came or went: what is available is counted anew."""
        return self.freed or self._taken() > 0

    @property
    def freed(self) -> bool:
        """The servers of now have ended, and their memory is back."""
        return self._ended or any(isinstance(e, ServerGone) and self.node in e.nodes for e in self.effects)

    def memory(self, now: Memory) -> Memory:
        """All of it stays; of what is available as `available` says."""
        return replace(now, available=self.available(now.available, now.total))

    def available(self, now: int, total: int) -> int:
        """Bytes: all of it where servers have ended, less what later ones take."""
        if not self.memory_changed:
            return now
        return max(0, (total if self.freed else now) - int(total * self._taken()))

    def _taken(self) -> float:
        """The share of servers that were started before and run still."""
        return sum(s.shares.get(self.node, 0.0) for s in self._servers())

    def way_to_root(self, now: RootWay, image: str) -> RootWay:
        """With the image a login that is no root has a way to drop the page cache, without it none."""
        if now not in (RootWay.CONTAINER, RootWay.NONE):
            return now
        here = ImageIdentity(image, "", "", (), "") if now is RootWay.CONTAINER else None
        return RootWay.CONTAINER if self.image(image, here) is not None else RootWay.NONE

    # --- models and jobs

    def holding(self, model: str, now: CheckpointFiles) -> CheckpointFiles:
        """What the node has of the model."""
        came = (e.held for e in self._own if isinstance(e, ModelThere) and e.model == model)
        return reduce(_with, came, now)

    def has_model(self, model: str) -> bool:
        """It came by a plan: what is in its files is not known before."""
        return any(isinstance(e, ModelThere) and e.model == model for e in self._own)

    def ended(self, job: str) -> bool:
        """The job runs no more then."""
        return self.rebooted or any(isinstance(e, JobEnded) and e.job == job for e in self.effects)


def _ends(effect: Effect, server: ServerUp) -> bool:
    """The server does not outlive that."""
    match effect:
        case ServerGone(nodes=nodes, container=container, port=port):
            return (server.container, server.port) == (container, port) and server.node in nodes
        case ContainerStarted(node=node, name=name) | ContainerGone(node=node, name=name):
            return server.container == name and node in server.nodes
        case Rebooted(node=node):
            return node in server.nodes
    return False


def _is(image: ImageIdentity, tag: str, id_: str) -> bool:
    """Of that name; without one, of that id."""
    return full_name(image.tag) == full_name(tag) if tag else not image.tag and image.id == id_


def _renamed(found: list[ImageIdentity], image: ImageIdentity) -> list[ImageIdentity]:
    """The name moves; what has no other name goes on without one. Engines list whole names."""
    name = full_name(image.tag)
    kept = [i for i in found if full_name(i.tag) != name and (i.tag or i.id != image.id)]
    others = {i.id for i in kept} | {image.id}
    lost = [replace(i, tag="") for i in found if full_name(i.tag) == name and i.id not in others]
    return [*kept, *lost, replace(image, tag=name)]


def _with(now: CheckpointFiles, held: CheckpointFiles) -> CheckpointFiles:
    """The files of `held` where `now` is."""
    return replace(
        now,
        revision=held.revision,
        refs={**now.refs, **held.refs},
        files=held.files,
        links=held.links,
        dangling={},
        missing=(),
        lacks="",
        partial={},
        beside={**now.beside, **held.files},
        tied={**now.tied, **held.links},
    )
