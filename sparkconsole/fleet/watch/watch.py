"""The watch keeps the store true for as long as it is open: one task per node, one for Ray and one for the

served model. It waits by the fleet's clock only, and leaves no task behind.
"""

from __future__ import annotations

import asyncio
from typing import Self

from sparkconsole.clock import cancelled
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.store import Store
from sparkconsole.fleet.watch.context import WatchContext
from sparkconsole.fleet.watch.hang import Roll
from sparkconsole.fleet.watch.node import NodeWatch
from sparkconsole.fleet.watch.own_actions import OwnActions
from sparkconsole.fleet.watch.ray import RayWatch
from sparkconsole.fleet.watch.server import ServerWatch
from sparkconsole.model.cluster import Cluster


class Watch:
    """An async context manager: `async with Watch(fleet, store)`. The fleet stays the caller's."""

    def __init__(
        self,
        fleet: Fleet,
        store: Store,
        *,
        container: str = "vllm_node",
        image: str = "vllm-node",
        port: int = 8888,
        own_actions: OwnActions | None = None,
    ) -> None:
        self.fleet, self.store = fleet, store
        self._scope = WatchContext(fleet, store, container, image, own_actions)
        roll = Roll(self._scope)
        self._server, self._ray = ServerWatch(self._scope, port, roll), RayWatch(self._scope, roll)
        self._nodes: dict[str, NodeWatch] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._others: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._start(self.fleet.cluster)
        self._others = [asyncio.create_task(part.run()) for part in (self._server, self._ray)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends every task."""
        await cancelled([*self._others, *self._tasks.values()])
        self._tasks, self._others, self._nodes = {}, [], {}

    def refresh(self) -> None:
        """Looks again, at everything, now; a lost node is tried again."""
        for node in self._nodes.values():
            node.refresh()
        self._server.refresh()

    def again(self, node: str) -> None:
        """Tries a lost node again now: its key is trusted, or it is switched on."""
        if node in self._nodes:
            self._nodes[node].again()

    async def regroup(self, cluster: Cluster) -> None:
        """From now on these are the nodes; what is known of those that stayed is kept. The fleet knows it."""
        self.store.regroup(cluster)
        wanted = {n.name: cluster.effective(n) for n in cluster.nodes}
        gone = [name for name, watch in self._nodes.items() if wanted.get(name) != watch.node]
        for name in gone:
            del self._nodes[name]
        await cancelled([self._tasks.pop(name) for name in gone])
        self._start(cluster)
        self.refresh()

    def _start(self, cluster: Cluster) -> None:
        for node in cluster.nodes:
            if node.name not in self._nodes:
                watch = NodeWatch(self._scope, cluster.effective(node))
                self._nodes[node.name] = watch
                self._tasks[node.name] = asyncio.create_task(watch.run())
