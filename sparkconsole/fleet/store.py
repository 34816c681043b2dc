"""The store: what is known of every node right now, with its age. One writer (the watch); faces read it.

Values are frozen, so "nothing changed" is `is`; `version` grows with every change.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sparkconsole.model.cluster import Cluster
from sparkconsole.model.docker import Container, ImageIdentity
from sparkconsole.model.serve.engine import EngineLoad
from sparkconsole.model.telemetry import History, Reading

if TYPE_CHECKING:
    from sparkconsole.model.checks import Look

EVENTS = 500


class Reachability(StrEnum):
    """How a node is reached. Lost is unknown, never stopped."""

    CONNECTING = "connecting"
    UP = "up"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class NodeState:
    """Everything known of one node. Times are the fleet clock's monotonic seconds; None: never seen."""

    name: str
    address: str = ""
    head: bool = False
    reach: Reachability = Reachability.CONNECTING
    reason: str = ""
    """Why it is lost; of a node that is up: why it has no readings every second."""
    hint: str = ""
    """What to do about it."""
    own_action: str = ""
    """Of a node that is lost: the deed of ours that explains it (`node reboot spark-02, by you at …`)."""
    fingerprint: str = ""
    """Set: it is lost because this host key is not trusted yet."""
    since_s: float | None = None
    """When `reach` became what it is."""
    retry_at_s: float | None = None
    """When a lost node is tried again."""
    reading: Reading | None = None
    read_at_s: float | None = None
    killed_at_s: float | None = None
    """When the kernel last killed something of it for want of memory."""
    memory_alarm: str = ""
    """Why its memory is about to freeze it; empty: it is not."""
    look: Look | None = None
    """The slow look: facts, site and image; asked at the start, now and then, and on refresh."""
    containers: tuple[Container, ...] | None = None
    images: tuple[ImageIdentity, ...] | None = None
    docker_error: str = ""
    """Why its containers and images are unknown, while it is up; empty: they are known, or not asked yet."""
    ray_alive: bool | None = None
    """A living member of Ray, as the head tells; None: nobody said."""
    nccl: str = ""
    """The transport that NCCL said it uses: `NET/IB ×2`, `NET/Socket`; empty: it has not said."""
    nccl_lines: tuple[str, ...] = ()
    """Its last lines that speak of NCCL."""
    log_error: str = ""
    """The first cause that the server's log names of this node; empty: none since it was started."""

    @property
    def in_ray(self) -> bool | None:
        """`ray_alive`, held against what is nearer: Ray misses a member only after 15 s and more.

        None while it is not reached. Without any running container there is no Ray here.
        """
        if self.ray_alive is None or self.reach is Reachability.LOST:
            return None
        return self.ray_alive and (self.containers is None or any(c.running for c in self.containers))

    @property
    def via(self) -> str:
        """`nccl`, while it is reached: else nobody knows whether anything runs there."""
        return "" if self.reach is Reachability.LOST else self.nccl


class ServerPhase(StrEnum):
    """How the served model stands."""

    NONE = "not running"
    LOADING = "loading"
    READY = "ready"
    WEDGED = "stuck"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServerState:
    """The served model on the cluster's port."""

    phase: ServerPhase = ServerPhase.UNKNOWN
    model: str = ""
    port: int = 8888
    stage: str = ""
    """While it loads: container, engine, weights, compile, KV cache, graphs, server."""
    percent: float | None = None
    detail: str = ""
    suspect: str = ""
    """Of a server that is wedged or failed: the node that is the trouble; empty: none is known."""
    look_at: str = ""
    """And what a person looks at first."""
    signs: tuple[str, ...] = ()
    """What it and its nodes showed when that was judged."""
    ranks: int = 0
    since_s: float | None = None
    load: EngineLoad | None = None
    generated_per_s: float | None = None
    prompt_per_s: float | None = None
    """Tokens a second between the last two readings of /metrics."""
    seen_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, kept for the events pane."""

    at: datetime
    level: str
    """info, warning, error or done."""
    source: str
    """A node's name, or what it is about: serve, launch, image, bench."""
    text: str


class Store:
    """`nodes` in the cluster's order, head first."""

    def __init__(self, cluster: Cluster) -> None:
        self.version = 0
        self.nodes: dict[str, NodeState] = {}
        self.histories: dict[str, History] = {}
        self.server = ServerState()
        self.generated: deque[float | None] = deque(maxlen=300)
        self.prompted: deque[float | None] = deque(maxlen=300)
        """Tokens a second, a value per reading of /metrics."""
        self.events: deque[Event] = deque(maxlen=EVENTS)
        self.regroup(cluster)

    def regroup(self, cluster: Cluster) -> None:
        """From now on these are the nodes; what is known of those that stayed is kept."""
        fresh = [NodeState(n.name, address=n.address, head=i == 0) for i, n in enumerate(cluster.nodes)]
        self.nodes = {f.name: self._kept(f) for f in fresh}
        self.histories = {name: self.histories.get(name) or History() for name in self.nodes}
        self.version += 1

    def update(self, name: str, **changes: Any) -> None:
        """Replaces fields of a node's state; a node that is no longer ours is left alone."""
        if name in self.nodes:
            self.nodes[name] = replace(self.nodes[name], **changes)
            self.version += 1

    def serve(self, **changes: Any) -> None:
        """Replaces fields of the served model's state."""
        self.server = replace(self.server, **changes)
        self.version += 1

    def tell(self, event: Event) -> None:
        """Keeps an event."""
        self.events.append(event)
        self.version += 1

    def up(self) -> tuple[str, ...]:
        """Names of the nodes that answer."""
        return tuple(n.name for n in self.nodes.values() if n.reach is Reachability.UP)

    def lost(self) -> tuple[NodeState, ...]:
        """The nodes that do not."""
        return tuple(n for n in self.nodes.values() if n.reach is Reachability.LOST)

    def _kept(self, fresh: NodeState) -> NodeState:
        old = self.nodes.get(fresh.name)
        if old is None or old.address != fresh.address:
            return fresh
        return replace(old, head=fresh.head)
