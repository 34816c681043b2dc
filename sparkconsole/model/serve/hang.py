"""Why a server that is up gives no token: what every node shows, judged. The verdict names whom to suspect,

why, and what to look at. Rules stand in the order of their weight; the first that a node shows is its cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sparkconsole.model.text.units import size

FROZEN_S = 20.0
"""Requests that run so long without a token are a reason to ask for one."""
LATE_S = 20.0
"""A server that completes not one token in this time, though asked, gives none."""
LONG_S = 120.0
"""Without a token for so long nothing is merely slow: the longest prompt is read by then."""
BUSY_PERCENT, IDLE_PERCENT, WORKING_W = 80.0, 20.0, 35.0
"""A GB10 that computes draws 40 W and more; one that waits in a collective says 100 % and draws half."""
STILL_BYTES = 100_000.0
"""A second, over all rails: below it no layer is exchanged."""
SILENT_S = 15.0
"""Without a reading, which comes every second."""


@dataclass(frozen=True, slots=True)
class NodeSign:
    """What one node of a served model shows; an empty value says nothing."""

    name: str
    head: bool = False
    rank: int | None = None
    """Its rank, where that is known; with Ray it is not."""
    lost: str = ""
    """Why it cannot be reached."""
    container: str = ""
    """What became of its container, when it does not run: `ended with 137`."""
    rank_gone: bool = False
    """Its container runs and its `vllm serve` does not."""
    killed: bool = False
    """The kernel killed something there for want of memory, since a token came."""
    left_ray: bool = False
    ray_message: str = ""
    links_down: tuple[str, ...] = ()
    """That were up while it served."""
    unreached: bool = False
    """The head's pings over the fast link do not come back."""
    silent_s: float = 0.0
    """Since its last reading, on a connection that stands."""
    gpu_error: str = ""
    gpu: float | None = None
    power_w: float | None = None
    rdma: float | None = None
    """Bytes a second over all rails, both ways."""
    memory: str = ""
    """Why its memory is about to freeze it."""

    @property
    def waits(self) -> bool:
        """Busy without working, as in a collective that does not end."""
        return (self.gpu or 0.0) >= BUSY_PERCENT and self.power_w is not None and self.power_w < WORKING_W

    @property
    def works(self) -> bool:
        """Its GPU computes."""
        return (self.gpu or 0.0) >= BUSY_PERCENT and (self.power_w or 0.0) >= WORKING_W

    @property
    def still(self) -> bool:
        """No RDMA to speak of."""
        return self.rdma is not None and self.rdma < STILL_BYTES

    def text(self) -> str:
        """Its readings in a few words; empty when there are none."""
        gpu = f"GPU {self.gpu:.0f} %" if self.gpu is not None else ""
        watts = f"{self.power_w:.0f} W" if self.power_w is not None else ""
        rdma = f"RDMA {size(self.rdma)}/s" if self.rdma is not None else ""
        parts = [part for part in (gpu, watts, rdma) if part]
        return f"{self.name}: {', '.join(parts)}" if parts else ""


@dataclass(frozen=True, slots=True)
class ServerSign:
    """What the server shows. None: nobody said, or nobody asked."""

    running: int | None = None
    frozen_s: float | None = None
    """How long requests have run without a token."""
    late_s: float | None = None
    """How long a token that was asked for has not come."""
    log_silent_s: float | None = None

    def signs(self) -> tuple[str, ...]:
        """In sentences."""
        ran = f"{self.running} requests run, no token for {self.frozen_s:.0f} s" if self.frozen_s else ""
        late = f"a token that was asked for did not come within {self.late_s:.0f} s" if self.late_s else ""
        silent = self.log_silent_s is not None and self.log_silent_s >= FROZEN_S
        log = f"its log is silent for {self.log_silent_s:.0f} s" if silent else ""
        return tuple(part for part in (ran, late, log) if part)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one node."""

    id: str
    node: str
    cause: str
    look_at: str
    dead: bool = False
    """The rank that ran there does no more."""


@dataclass(frozen=True, slots=True)
class Hang:
    """The verdict."""

    cause: str
    """With the node's name in it."""
    look_at: str
    node: str = ""
    """Whom to suspect; empty: all alike."""
    id: str = "unknown"
    signs: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The cause and the first sign of it."""
        return f"{self.cause} ({self.signs[0]})" if self.signs else self.cause


@dataclass(frozen=True, slots=True)
class _Rule:
    id: str
    shows: Callable[[NodeSign], object]
    cause: Callable[[NodeSign], str]
    look_at: str
    dead: bool = False


GONE = "container-ended"
"""The trouble of a node whose container ended, or is another one than a rank began in."""
_AGAIN = "then sparkconsole serve stop, and serve again"
_RULES = (
    _Rule("node-lost", lambda n: n.lost, lambda n: f"the node cannot be reached: {n.lost}",
          "its power and its cable; sparkconsole launch --repair when it is back, then serve again",
          dead=True),
    _Rule(GONE, lambda n: n.container, lambda n: f"its container {n.container}",
          "sparkconsole logs {node}; sparkconsole launch --repair, then serve again", dead=True),
    _Rule("gpu-gone", lambda n: n.gpu_error, lambda n: f"its GPU does not answer: {n.gpu_error}",
          f"sparkconsole logs kernel; sparkconsole node reboot {{node}}, {_AGAIN}", dead=True),
    _Rule("rank-gone", lambda n: n.rank_gone,
          lambda n: f"its rank{f' {n.rank}' if n.rank is not None else ''} has ended, its container runs",
          f"sparkconsole logs {{node}}; {_AGAIN}", dead=True),
    _Rule("out-of-memory", lambda n: n.killed,
          lambda n: "the kernel killed a process there for want of memory",
          f"sparkconsole logs kernel; {_AGAIN} with less --gpu-memory-utilization"),
    _Rule("machine-silent", lambda n: n.silent_s >= SILENT_S,
          lambda n: f"the machine is silent for {n.silent_s:.0f} s and its connection stands: it is frozen",
          "its memory: serve with less --gpu-memory-utilization, or with --guard; else pull its power"),
    _Rule("memory-line", lambda n: n.memory, lambda n: n.memory,
          f"{_AGAIN} with less --gpu-memory-utilization"),
    _Rule("link-down", lambda n: n.links_down, lambda n: f"its fast link is down: {', '.join(n.links_down)}",
          f"the cable; sparkconsole fabric test, {_AGAIN}"),
    _Rule("fabric-cut", lambda n: n.unreached, lambda n: "the head does not reach it over the fast link",
          f"the cable and the switch; sparkconsole fabric test, {_AGAIN}"),
    _Rule("left-ray", lambda n: n.left_ray,
          lambda n: f"is no longer in Ray{f': {n.ray_message}' if n.ray_message else ''}, its container runs",
          "sparkconsole logs ray; sparkconsole node restart {node}, then serve again", dead=True),
)  # fmt: skip
UNSEEN = frozenset({"node-lost", "gpu-gone"})
"""Nobody could look: whether a rank is there still is unknown."""
DOUBTFUL = frozenset(rule.id for rule in _RULES) - {"memory-line", "machine-silent"}
"""Any of these is a reason to ask for a token at once, also while no request runs."""


def troubles(nodes: Iterable[NodeSign]) -> tuple[Trouble, ...]:
    """What is wrong with each node that has something, the gravest first, workers before the head."""
    first = ((sign, next((rule for rule in _RULES if rule.shows(sign)), None)) for sign in nodes)
    found = [(sign, rule) for sign, rule in first if rule is not None]
    return tuple(
        Trouble(rule.id, sign.name, rule.cause(sign), rule.look_at.format(node=sign.name), rule.dead)
        for sign, rule in sorted(found, key=lambda f: (_RULES.index(f[1]), f[0].head))
    )


def judge(server: ServerSign, nodes: Sequence[NodeSign]) -> Hang | None:
    """None: it serves, or nothing proves that it does not. Never a hang while every GPU computes."""
    frozen_s = server.frozen_s or 0.0
    if server.late_s is None and frozen_s < LONG_S:
        return None
    if frozen_s < LONG_S and nodes and all(n.works and not n.still for n in nodes):
        return None
    signs = (*server.signs(), *(word for n in nodes if (word := n.text())))
    found = _troubled(nodes) or _odd_one(nodes) or _all_wait(nodes) or _engine(nodes)
    return Hang(found.cause, found.look_at, found.node, found.id, signs)


def _troubled(nodes: Sequence[NodeSign]) -> Hang | None:
    """Nodes that show the same are told together: a cable has two ends."""
    found = troubles(nodes)
    causes = "; ".join(f"{t.node}: {t.cause}" for t in found if t.id == found[0].id)
    return Hang(causes, found[0].look_at, found[0].node, found[0].id) if found else None


def _odd_one(nodes: Sequence[NodeSign]) -> Hang | None:
    """In a collective everybody waits for one: for who is not in it, or still computes."""
    waiting = [n for n in nodes if n.waits]
    idle = [n for n in nodes if n.gpu is not None and n.gpu <= IDLE_PERCENT]
    working = [n for n in nodes if n.works]
    for odd, does in ((idle, "does nothing"), (working, "computes on")):
        if waiting and len(odd) == 1 and len(waiting) == len(nodes) - 1:
            name, rest = odd[0].name, ", ".join(n.name for n in waiting)
            rank = f" (rank {odd[0].rank})" if odd[0].rank is not None else ""
            cause = f"{name}: its GPU{rank} {does} while {rest} wait{'s' * (len(waiting) == 1)} for it"
            return Hang(cause, f"sparkconsole logs {name}; {_AGAIN}", name, "rank-apart")
    return None


def _all_wait(nodes: Sequence[NodeSign]) -> Hang | None:
    """Nobody is apart: what lies between them hangs."""
    if len(nodes) > 1 and all(n.waits for n in nodes):
        still = " and no RDMA byte moves" if all(n.still for n in nodes) else ""
        cause = f"every rank waits for the others: the GPUs are busy with little power{still}"
        hint = f"sparkconsole fabric test; serve with --enforce-eager, or another image; {_AGAIN}"
        return Hang(cause, hint, "", "collective")
    return None


def _engine(nodes: Sequence[NodeSign]) -> Hang:
    """Nothing shows from outside: the engine itself, which the head's server waits for."""
    head = next((n.name for n in nodes if n.head), "")
    where = f"{head}: " if head else ""
    cause = f"{where}its engine gives no token and no node shows why"
    return Hang(cause, f"sparkconsole logs {head}".strip() + f"; {_AGAIN}", head, "engine")
