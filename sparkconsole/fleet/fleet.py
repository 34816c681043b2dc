"""The fleet owns one connection per node for as long as it is open, and asks many nodes at once."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol, Self, TypeVar, runtime_checkable

from sparkconsole.clock import Clock, RealClock, together
from sparkconsole.defect import keep
from sparkconsole.errors import SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.reconnect import Connect, Keeper
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.waiting import waiting
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.foresight.forecast import Forecast
from sparkconsole.model.text.addresses import names_of_addresses, with_node_names
from sparkconsole.remote.foreseen_shell import ForeseenShell
from sparkconsole.remote.shell import Shell

T = TypeVar("T")


@runtime_checkable
class Addressed(Protocol):
    """What a node showed of itself, its own addresses among it."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of the node."""


TIDY_S = 0.4
"""So long connections have to end in order, then they are cut."""
MOST_REASON = 200
"""Characters of what nobody expected."""


class Fleet:
    """An async context manager: `async with Fleet(cluster, connect) as fleet`."""

    def __init__(self, cluster: Cluster, connect: Connect, clock: Clock | None = None) -> None:
        self.cluster = cluster
        self.clock: Clock = clock or RealClock()
        self._connect = connect
        self._keepers = self._fresh_keepers(cluster)
        self._guests: set[str] = set()
        self.forecast = Forecast()
        """What earlier lines of a script, where it is only planned, would have changed: looks answer so."""
        self.fresh = Fresh(self.clock)
        self._borrowed: frozenset[str] = frozenset()
        self._addresses: dict[str, frozenset[str]] = {}

    def beside(self, cluster: Cluster) -> Fleet:
        """Another choice of nodes, which ends before this fleet; nodes of both keep their one connection."""
        other = Fleet(cluster, self._connect, self.clock)
        same = self._unchanged(other._keepers)
        other._keepers |= same
        other._borrowed = frozenset(same)
        other.forecast, other.fresh = self.forecast, self.fresh
        other._addresses = self._addresses
        return other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut_soon()
        await asyncio.gather(*(k.aclose() for k in self._own()), return_exceptions=True)

    def cut_soon(self) -> None:
        """From now on what ends over the connections has TIDY_S for it: no silent node holds anybody up.

        A node ends by itself what its connection carried; what runs there detached goes on.
        """
        asyncio.get_running_loop().call_later(TIDY_S, self._cut)

    def _cut(self) -> None:
        for keeper in self._own():
            keeper.cut()

    def _own(self) -> tuple[Keeper, ...]:
        return tuple(k for name, k in self._keepers.items() if name not in self._borrowed)

    @property
    def names(self) -> tuple[str, ...]:
        """Every node's name, head first."""
        return tuple(name for name in self._keepers if name not in self._guests)

    def include(self, guest: Node) -> None:
        """Lets a machine outside the cluster be talked to (an image's receiver); it is never in `names`."""
        if guest.name not in self._keepers:
            self._guests.add(guest.name)
            self._keepers[guest.name] = Keeper(self.cluster.effective(guest), self._connect, self.clock)

    async def regroup(self, cluster: Cluster) -> None:
        """From now on these are the nodes; connections to nodes that stayed as they were are kept."""
        old, self.cluster, fresh = self._keepers, cluster, self._fresh_keepers(cluster)
        self._guests -= set(fresh)
        self._keepers = {**fresh, **self._unchanged(fresh), **{name: old[name] for name in self._guests}}
        gone = [keeper for keeper in old.values() if keeper not in self._keepers.values()]
        await asyncio.gather(*(k.aclose() for k in gone), return_exceptions=True)

    def _fresh_keepers(self, cluster: Cluster) -> dict[str, Keeper]:
        return {n.name: Keeper(cluster.effective(n), self._connect, self.clock) for n in cluster.nodes}

    def _unchanged(self, fresh: dict[str, Keeper]) -> dict[str, Keeper]:
        """Our keepers of nodes that are as they were."""
        ours = self._keepers
        return {n: ours[n] for n, keeper in fresh.items() if n in ours and ours[n].node == keeper.node}

    @property
    def head(self) -> str:
        """The head's name; WrongUsage when the cluster is empty."""
        self.require_nodes()
        return self.names[0]

    def require_nodes(self) -> None:
        """WrongUsage when the cluster is empty."""
        if not self.names:
            raise WrongUsage("the cluster has no nodes", hint="add some: sparkconsole node add NAME ADDRESS")

    async def shell(self, node: str) -> Shell:
        """The node's one connection, made at first use; Unreachable when there is none to be had."""
        if node not in self._keepers:
            node = self.cluster.member(node).name
        shell = await self._keepers[node].shell()
        return ForeseenShell(shell, self.forecast.on(node)) if self.forecast.effects else shell

    async def reconnect(self, node: str, deadline_s: float) -> Shell:
        """The node's connection, made again as often as it takes; Unreachable after `deadline_s` seconds."""
        return await self._keepers[node].reconnected(deadline_s)

    def lost(self, node: str, shell: Shell | None = None) -> None:
        """Says that the node's connection broke, so that the next `shell()` makes a new one."""
        if node in self._keepers:
            self._keepers[node].lost(shell.now if isinstance(shell, ForeseenShell) else shell)

    async def shell_again(self, node: str) -> Shell:
        """As `shell`, but a node that refused before is asked once more."""
        if node in self._keepers:
            self._keepers[node].forgive()
        return await self.shell(node)

    def take_unended(self) -> tuple[tuple[str, tuple[str, ...], float], ...]:
        """What nobody saw end and may run on: the node, the words, and the seconds that it may take; once."""
        return tuple(
            (name, *each) for name, keeper in self._keepers.items() for each in keeper.take_unended()
        )

    def learn_addresses(self, node: str, addresses: Iterable[str]) -> None:
        """What a look at the node shows that it has, beside what cluster.toml says."""
        self._addresses[node] = frozenset(addresses) | self._addresses.get(node, frozenset())

    def named(self, text: str) -> str:
        """A sentence of Ray's or NCCL's with the names of nodes beside their addresses."""
        written = ((a, n.name) for n in self.cluster.nodes for a in (n.address, n.fabric_address or ""))
        seen = ((a, node) for node in self.names for a in self._addresses.get(node, ()))
        return with_node_names(text, names_of_addresses((*written, *seen)))

    def next_attempt_s(self, node: str) -> float | None:
        """In how many seconds a lost node is tried again; None when nobody waits for it."""
        return self._keepers[node].next_attempt_s

    async def ask(
        self,
        question: Callable[[Shell], Awaitable[T]],
        nodes: Iterable[str] | None = None,
        *,
        meanwhile: str = "no answer",
    ) -> dict[str, T | SparkError]:
        """Puts one question to many nodes side by side; a node that fails answers with its error.

        `meanwhile`: what is said of a node that takes long.
        """
        names = tuple(nodes) if nodes is not None else self.names
        silent = dict.fromkeys(names, True)

        async def answered_by(node: str) -> T | SparkError:
            try:
                return await self._ask_one(question, node)
            finally:
                silent.pop(node, None)

        def still(seconds: float) -> Iterator[tuple[str, str]]:
            return ((node, f"{meanwhile} after {seconds:.0f} s") for node in silent)

        async with waiting(still):
            answers = await together(*map(answered_by, names))
        return dict(zip(names, answers, strict=True))

    async def _ask_one(self, question: Callable[[Shell], Awaitable[T]], node: str) -> T | SparkError:
        shell: Shell | None = None
        try:
            shell = await self.shell(node)
            answer = await question(shell)
            self.learn_addresses(node, answer.addresses if isinstance(answer, Addressed) else ())
            return answer
        except SparkError as error:
            if isinstance(error, Unreachable) and shell is not None:
                self.lost(node, shell)
            error.node = error.node or node
            return error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # A program there says what no program of its name says: that node's trouble, and not the others'.
            return _unreadable(error, node)


def _unreadable(error: Exception, node: str) -> SparkError:
    path = keep("".join(traceback.format_exception(error)))
    why = f"one of its answers cannot be read: {type(error).__name__}: {error}"
    where = f"its traceback is in {path}" if path else "SPARKCONSOLE_TRACEBACK=1 shows its traceback"
    hint = f"look at its docker; where that is in order, report it: {where}"
    return SparkError(why[:MOST_REASON], hint=hint, node=node)


def answered(answers: dict[str, T | SparkError]) -> dict[str, T]:
    """The answers of the nodes that answered."""
    return {n: a for n, a in answers.items() if not isinstance(a, SparkError)}


def failed(answers: dict[str, T | SparkError]) -> dict[str, SparkError]:
    """The errors of the nodes that did not."""
    return {n: a for n, a in answers.items() if isinstance(a, SparkError)}
