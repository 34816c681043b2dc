"""The watch keeps the store true for as long as it is open: one task per node, one for the served model."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.store import Store
from sparkconsole.model.cluster import Cluster


class Watch:
    """An async context manager: `async with Watch(fleet, store)`."""

    def __init__(
        self,
        fleet: Fleet,
        store: Store,
        *,
        container: str = "vllm_node",
        image: str = "vllm-node",
        port: int = 8888,
    ) -> None:
        self.fleet, self.store = fleet, store
        self.container, self.image, self.port = container, image, port

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every task."""

    def refresh(self) -> None:
        """Looks again, at everything, now."""

    def again(self, node: str) -> None:
        """Tries a lost node again now: its key is trusted, or it is switched on."""

    async def regroup(self, cluster: Cluster) -> None:
        """From now on these are the nodes; what is known of those that stayed is kept."""
        self.store.regroup(cluster)
