"""What a node says about the place where a launch happens: its home, memory, listeners, and the container."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sparkconsole.model.docker import Container
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, LaunchSpec, recalled


@dataclass(frozen=True, slots=True)
class Site:
    """One look at a node."""

    node: str
    home: str
    available_bytes: int
    """MemAvailable."""
    listening: frozenset[int]
    """TCP ports somebody listens on, on any address."""
    found: Container | None = None
    """The container of exactly the name that was asked for; None: there is none, running or not."""

    @property
    def running(self) -> bool:
        """The container is there and runs."""
        return self.found is not None and self.found.running

    @property
    def launch(self) -> LaunchSpec | None:
        """What its container was launched as, whether it runs or not; None: none of ours."""
        return recalled(self.found.labels) if self.found else None

    @property
    def solo(self) -> bool:
        """It was launched to serve alone: no other node matters to it."""
        return self.launch is not None and self.launch.backend is Backend.SOLO

    @property
    def addresses(self) -> tuple[str, ...]:
        """That by which its container is a member of Ray."""
        address = self.found.labels.get(LABEL_ADDRESS) if self.found else None
        return (address,) if address else ()

    def taken(self, ports: Iterable[int]) -> tuple[int, ...]:
        """Those of `ports` on which somebody listens."""
        return tuple(sorted(self.listening.intersection(ports)))
