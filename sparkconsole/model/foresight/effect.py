"""What a plan will have changed once it is done: the effects that every changing verb declares.

They are said before anything is done, so that the plan after it can be made on the state that it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkconsole.model.checkpoint.files import CheckpointFiles
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.ray import RayMember
from sparkconsole.model.serve.engine import LiveRank


@dataclass(frozen=True, slots=True)
class OnNode:
    """What changes on one node."""

    node: str


@dataclass(frozen=True, slots=True)
class ImageNamed(OnNode):
    """A name (`image.tag`) means this content on the node; what it meant before goes on without it."""

    image: ImageIdentity


@dataclass(frozen=True, slots=True)
class ImageGone(OnNode):
    """A name is gone, or (`tag` empty) the nameless image of that id."""

    tag: str
    id: str


class BuildCacheGone(OnNode):
    """Old build cache is gone from the node."""


@dataclass(frozen=True, slots=True)
class ContainerStarted(OnNode):
    """A new container runs in the place of any other of its name."""

    container: Container
    ports: frozenset[int] = frozenset()
    """What it listens on."""

    @property
    def name(self) -> str:
        """The container's."""
        return self.container.name


@dataclass(frozen=True, slots=True)
class ContainerGone(OnNode):
    """The container of that name is gone, with all that ran in it."""

    name: str
    ports: frozenset[int] = frozenset()
    """What it listened on, its servers aside."""


@dataclass(frozen=True, slots=True)
class RayFormed(OnNode):
    """Ray's head, in that container, lists these members at its dashboard's port."""

    container: str
    port: int
    members: tuple[RayMember, ...]


@dataclass(frozen=True, slots=True)
class ServerUp(OnNode):
    """A server answers on `node`; its ranks run in the containers of their nodes."""

    container: str
    port: int
    name: str
    """Under which it answers."""
    model: str
    ranks: tuple[LiveRank, ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    """By node, what it takes of the memory, 0 to 1."""

    @property
    def nodes(self) -> frozenset[str]:
        """Without any of them it ends."""
        return frozenset((self.node, *self.shares, *(rank.node for rank in self.ranks)))


@dataclass(frozen=True, slots=True)
class ServerGone:
    """No server answers on that port of these nodes, and its memory is back."""

    nodes: tuple[str, ...]
    container: str
    port: int


@dataclass(frozen=True, slots=True)
class ModelThere(OnNode):
    """The node has all of the model that `held` says."""

    model: str
    held: CheckpointFiles


class PageCacheDropped(OnNode):
    """The node's page cache was given back."""


class Rebooted(OnNode):
    """Everything that ran on the node has ended."""


@dataclass(frozen=True, slots=True)
class JobEnded(OnNode):
    """The job runs no more."""

    job: str


@dataclass(frozen=True, slots=True)
class ClusterChanged:
    """cluster.toml has this text: the lines after it are about the cluster that it tells of."""

    text: str


@dataclass(frozen=True, slots=True)
class KeysTrusted:
    """These machines' host keys are believed."""

    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anything:
    """What it does is not known before; what follows is planned as if it changed nothing else."""

    why: str


Effect = (
    ImageNamed | ImageGone | BuildCacheGone | ContainerStarted | ContainerGone | RayFormed | ServerUp
    | ServerGone | ModelThere | PageCacheDropped | Rebooted | JobEnded | ClusterChanged | KeysTrusted
    | Anything
)  # fmt: skip
