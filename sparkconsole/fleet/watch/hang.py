"""A running server is doubted where requests run without a token, or a node shows trouble: one is asked for.

Where it does not come, every node's signs are taken once more, closely, and model.hang judges them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from sparkconsole.clock import cancelled, together
from sparkconsole.fleet.serve.hang_probe import closely, late
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.fleet.watch.context import WatchContext
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend
from sparkconsole.model.ray import RayMember, last_words
from sparkconsole.model.serve.engine import EngineLoad, LiveRank
from sparkconsole.model.serve.hang import (
    DOUBTFUL,
    FROZEN_S,
    LATE_S,
    Hang,
    NodeSign,
    ServerSign,
    Trouble,
    judge,
    troubles,
)
from sparkconsole.remote.shell import Shell

AGAIN_S = 30.0
"""Between tokens that are asked of a server that is doubted."""
SOON_S = 2.0
"""A token that is asked for comes by then, or the server is no longer called ready meanwhile."""
MOST_LINKS = 64
RECENT = 10
"""Readings, a second apart, over which a node's GPU and rails are averaged."""


class Roll:
    """Which nodes serve, and what they had while they did: only what was there can be missed."""

    def __init__(self, scope: WatchContext) -> None:
        self._scope = scope
        self._serving: set[str] = set()
        self._links: dict[str, set[str]] = {}
        self._ranks: dict[str, int] = {}
        self._lives: dict[str, tuple[str, str]] = {}
        """The containers that it began in: one that was started again has its rank no more."""
        self.members: tuple[RayMember, ...] = ()
        """As Ray told them last."""
        self.joined: set[str] = set()
        """Nodes that were members: only they can have left."""
        self.token_at_s: float | None = None
        """When a token was last seen to come."""

    def serves(self, ranks: Iterable[LiveRank]) -> None:
        """It gives tokens: so it is made of the nodes whose container runs now."""
        self._ranks.update({r.node: r.rank for r in ranks})
        for name in self._partners():
            self._serving.add(name)
            reading = self._scope.store.nodes[name].reading
            rails = reading.rails.items() if reading else ()
            links = self._links.setdefault(name, set())
            if len(links) < MOST_LINKS:  # a node may call its rails otherwise in each reading
                links.update(rail for rail, flow in rails if flow.up)
            self._lives.setdefault(name, self._life(name))

    def proved(self) -> None:
        """A token came: whatever was started again since, it serves as it stands."""
        self._lives = {name: self._life(name) for name in self._partners()}

    @property
    def serving(self) -> int:
        """How many nodes it is made of."""
        return len(self._serving)

    def forget(self) -> None:
        """No server any more."""
        self._serving, self._links, self._ranks, self._lives = set(), {}, {}, {}
        self.token_at_s = None

    def signs(self) -> tuple[NodeSign, ...]:
        """What the nodes that serve show, as the store knows it; head first."""
        return tuple(self._sign(name) for name in self._scope.store.nodes if name in self._taking_part())

    def address(self, name: str) -> str:
        """Of a serving node on the fast link; empty: unknown."""
        container = self._scope.container_of(name)
        return container.labels.get(LABEL_ADDRESS, "") if container else ""

    def _partners(self) -> tuple[str, ...]:
        """Those whose container runs; without Ray only those that have a rank."""
        scope, launch = self._scope, self._scope.launch()
        if launch is None or launch.backend is Backend.SOLO:
            return scope.fleet.names[:1]
        ranked = self._ranks if launch.backend is Backend.NONE and self._ranks else scope.store.nodes
        return tuple(n for n in scope.fleet.names if n in ranked and scope.container_on(n))

    def _taking_part(self) -> set[str]:
        """Who was seen to; for a console that came later, all that could."""
        if self._serving:
            return self._serving
        launch = self._scope.launch()
        if launch is None or launch.backend is Backend.SOLO:
            return set(self._scope.fleet.names[:1])
        nodes = self._scope.store.nodes.items()
        return {n for n, s in nodes if s.reach is Reachability.LOST or self._scope.container_of(n)}

    def _sign(self, name: str) -> NodeSign:
        state = self._scope.store.nodes[name]
        if state.reach is Reachability.LOST:
            return NodeSign(name, state.head, self._ranks.get(name), lost=state.reason or "no answer")
        reading = state.reading
        down = {rail for rail, flow in reading.rails.items() if flow.up is False} if reading else set[str]()
        gpu, both = self._mean(name, "gpu"), (self._mean(name, "rdma_rx"), self._mean(name, "rdma_tx"))
        rdma = [one_way for one_way in both if one_way is not None]
        left = state.ray_alive is False and name in self.joined
        return NodeSign(
            name,
            state.head,
            self._ranks.get(name),
            container=self._container(state),
            killed=self.token_at_s is not None and (state.killed_at_s or 0.0) > self.token_at_s,
            left_ray=left,
            ray_message=self.last_words(name) if left else "",
            links_down=tuple(sorted(down & self._links.get(name, set()))),
            silent_s=self._silent(state),
            gpu_error=reading.gpu_error if reading and gpu is not None else "",
            gpu=gpu,
            power_w=self._mean(name, "power"),
            rdma=sum(rdma) if rdma else None,
            memory=state.memory_alarm,
        )

    def _container(self, state: NodeState) -> str:
        """What became of it; empty: it runs, or nobody knows."""
        name = self._scope.container
        if state.containers is None:
            return ""
        if self._scope.container_on(state.name):
            had = self._lives.get(state.name)
            return f"{name} was started again" if had not in (None, self._life(state.name)) else ""
        found = self._scope.container_of(state.name)
        if found is None:
            return f"{name} is gone"
        return f"{name} ended with {found.exit_code}{', out of memory' if found.oom_killed else ''}"

    def _life(self, name: str) -> tuple[str, str]:
        container = self._scope.container_on(name)
        return (container.id, container.started_at) if container else ("", "")

    def last_words(self, name: str) -> str:
        """What Ray says of a member that died there; empty: nothing."""
        addresses = sorted(self._scope.addresses(name))
        return next((words for a in addresses if (words := last_words(self.members, a))), "")

    def _silent(self, state: NodeState) -> float:
        if state.reach is not Reachability.UP or state.read_at_s is None or state.reason:
            return 0.0
        return self._scope.clock.monotonic() - max(state.read_at_s, state.since_s or 0.0)

    def _mean(self, name: str, measure: str) -> float | None:
        history = self._scope.store.histories.get(name)
        known = [v for v in history.series(measure, RECENT) if v is not None] if history else []
        return fmean(known) if known else None


class HangWatch:
    """`look` at every answer of the server.

    `doubted` is called when a node is in trouble and a token that was asked for does not come at once.
    """

    def __init__(self, scope: WatchContext, roll: Roll, doubted: Callable[[Trouble], object]) -> None:
        self._scope, self._roll, self._doubted = scope, roll, doubted
        self._moved_at = self._ask_at = scope.clock.monotonic()
        self._hang: Hang | None = None

    def forget(self) -> None:
        """Another server, or none."""
        self._hang, self._moved_at, self._ask_at = None, self._now, self._now
        self._roll.forget()

    @property
    def _now(self) -> float:
        return self._scope.clock.monotonic()

    async def look(
        self, shell: Shell, load: EngineLoad, ranks: Sequence[LiveRank], *, moved: bool, mute_s: float | None
    ) -> Hang | None:
        """The verdict now; a token is asked for at most once in AGAIN_S. `mute_s`: its log is silent."""
        now, signs = self._now, self._roll.signs()
        doubtful = any(t.id in DOUBTFUL for t in troubles(signs))
        if moved or not (load.running or doubtful or self._hang):
            self._well(ranks, token=moved)
            return None
        frozen_s = now - self._moved_at if load.running else None
        if not (doubtful or self._hang or (frozen_s or 0.0) >= FROZEN_S) or now < self._ask_at:
            return self._hang
        late_s = await self._asked(shell)
        self._ask_at = self._now + AGAIN_S
        if late_s == 0.0:
            self._roll.proved()
            self._well(ranks, token=True)
            return None
        frozen_s = self._now - self._moved_at if load.running else None
        scope, roll, port = self._scope, self._roll, self._scope.store.server.port
        where = (scope.fleet, shell, scope.container, port)
        close = await together(*(closely(*where, s, roll.address(s.name)) for s in roll.signs()))
        self._hang = judge(ServerSign(load.running, frozen_s, late_s, mute_s), close) or self._hang
        return self._hang

    async def _asked(self, shell: Shell) -> float | None:
        asked = asyncio.create_task(late(shell, self._scope.store.server.port, LATE_S))
        try:
            done, _ = await asyncio.wait({asked}, timeout=SOON_S)
            first = next((t for t in troubles(self._roll.signs()) if t.id in DOUBTFUL), None)
            if not done and first is not None:
                self._doubted(first)
            return await asked
        finally:
            await cancelled((asked,))

    def _well(self, ranks: Iterable[LiveRank], *, token: bool) -> None:
        self._hang, self._moved_at = None, self._now
        if token or self._roll.token_at_s is None:
            self._roll.token_at_s = self._now
        if not troubles(self._roll.signs()):
            self._roll.serves(ranks)
