"""What every part of the watch works with: fleet, store, names, events; and waiting that can be cut short."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from sparkconsole.clock import Clock, cancelled, sleep_unless
from sparkconsole.errors import TimedOut
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.store import Event, NodeState, Store
from sparkconsole.fleet.watch.own_actions import OwnActions
from sparkconsole.model.docker import Container
from sparkconsole.model.foresight.own_actions import Touch
from sparkconsole.model.launch.spec import LABEL_ADDRESS, LaunchSpec, recalled
from sparkconsole.model.text.printable import printable

CONNECTING = 16
"""Logins that are under way at once."""
CALM_NODES = 8
"""More nodes than that are asked more rarely, each."""
Question = Coroutine[None, None, None]
SILENT_S = 10.0
"""A source that owes its answer for so long, or for three of its own pauses, says nothing of now."""


class Wakeup:
    """A pause that somebody may end."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Who rests goes on now; who does not, will not rest next time."""
        self._rung.set()

    async def rung(self) -> None:
        """Waits until it rings."""
        await self._rung.wait()
        self._rung.clear()

    async def rest(self, clock: Clock, seconds: float) -> None:
        """Waits that long, or until it rings."""
        try:
            await sleep_unless(self._rung, clock, seconds)
        finally:
            self._rung.clear()


@dataclass(slots=True)
class WatchContext:
    """Shared by every task of one watch."""

    fleet: Fleet
    store: Store
    container: str
    image: str
    own_actions: OwnActions | None = None
    """What consoles of ours do; None: nobody keeps it."""
    connecting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTING))
    serving: Wakeup = field(default_factory=Wakeup)
    """Rings when something changed that a server may stand on: it is looked at then."""
    interfaces: dict[str, set[str]] = field(default_factory=dict)
    """Addresses by node, as it was last looked at: they outlive what else was seen then."""
    head_lost: list[Callable[[str], object]] = field(default_factory=list)
    """Called with the reason when the head is lost: what it alone tells is unknown with it."""

    @property
    def clock(self) -> Clock:
        """All waits go through it."""
        return self.fleet.clock

    @property
    def spread(self) -> float:
        """How many times rarer than usual each node is asked, so that 64 cost no more than eight."""
        return max(1.0, len(self.store.nodes) / CALM_NODES)

    def own(self, what: Touch, *nodes: str, alive_s: float = math.inf) -> str:
        """The deed of ours that ended something of these nodes just now, in words; empty: none."""
        return self.own_actions.on_nodes(what, nodes, alive_s) if self.own_actions is not None else ""

    def own_end(self, job: str) -> str:
        """The same of a server; one that somebody started by hand may be on any node."""
        if self.own_actions is None:
            return ""
        where = (f"{node}:{self.store.server.port}" for node in self.store.nodes)
        return self.own_actions.ended(job) if job else self.own_actions.on_nodes(Touch.SERVER, where)

    def tell(self, level: str, source: str, text: str, own: str = "") -> None:
        """One event; what a deed of ours (`own`) explains is information."""
        text, level = (f"{text} ({own})", "info") if own else (text, level)
        self.store.tell(Event(self.clock.now(), level, source, printable(text[:1000])))

    @property
    def head(self) -> NodeState | None:
        """The head's state; None: there are no nodes."""
        return self.store.nodes.get(self.fleet.names[0]) if self.fleet.names else None

    def container_of(self, node: str) -> Container | None:
        """The cluster's container on a node, running or ended."""
        known = self.store.nodes[node].containers if node in self.store.nodes else None
        return next((c for c in known or () if c.name == self.container), None)

    def container_on(self, node: str) -> Container | None:
        """The same, while it runs there."""
        found = self.container_of(node)
        return found if found is not None and found.running else None

    def launch(self) -> LaunchSpec | None:
        """The launch that runs on the head, as its container tells; None: none of ours."""
        head = self.container_on(self.fleet.head) if self.fleet.names else None
        return recalled(head.labels) if head else None

    def node_at(self, address: str) -> str:
        """The node that has this address, on any of its links; empty: nobody."""
        return next((name for name in self.store.nodes if address in self.addresses(name)), "")

    def addresses(self, node: str) -> set[str]:
        """All addresses that are known of a node."""
        state, container = self.store.nodes[node], self.container_on(node)
        found = {state.address, container.labels.get(LABEL_ADDRESS, "") if container else ""}
        return (found | self.interfaces.get(node, set())) - {""}


class WatchedSource:
    """What is asked over and over: what it said is known until it owes its answer for too long.

    `teller` has the events, `silent` (with the seconds) and `again` are their sentences; `lost` forgets.
    """

    def __init__(
        self, scope: WatchContext, teller: str, silent: str, again: str, lost: Callable[[str], object]
    ) -> None:
        self._scope, self._teller, self._silent, self._again = scope, teller, silent, again
        self._lost = lost
        self.unknown = False
        """What it said was called unknown; the next answer is news."""
        self.owed_s: float | None = None
        """Since when it owes an answer; None: it owes none, or could not be asked."""

    async def asked(self, question: Question, every_s: float) -> None:
        """Waits for the end of the question, whatever that is; what was told already is no error."""
        clock, most = self._scope.clock, max(SILENT_S, 3 * every_s)
        self.owed_s = clock.monotonic() if self.owed_s is None else self.owed_s
        left = max(0.0, self.owed_s + most - clock.monotonic())
        asking, late = asyncio.create_task(question), asyncio.create_task(clock.sleep(left))
        try:
            await asyncio.wait((asking, late), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done() and not self.unknown:
                text = self._silent.format(most)
                self._scope.tell("warning", self._teller, text)
                self._lost(text)
                self.unknown = True
            await asking
        except TimedOut:  # it still owes its answer
            if not self.unknown:
                raise
        except BaseException:
            self.owed_s = None
            raise
        finally:
            await cancelled((asking, late))

    def heard(self, *, known: bool = True, news: bool = True) -> None:
        """It answered, or (not `known`) need not; `news`: nothing else tells that it does again."""
        if self.unknown and known and news:
            self._scope.tell("info", self._teller, self._again)
        self.unknown, self.owed_s = self.unknown and not known, None
