"""When a server that stopped answering is started again: after several looks, ever later, and not for ever.

As operators' own watchdogs do it: three looks, three starts in six hours, half an hour to load in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_REST_S, MOST_REST_S = 30.0, 900.0


@dataclass(frozen=True, slots=True)
class RestartBudget:
    """How it went so far. Times are seconds of one clock."""

    misses: int = 3
    """So many looks after each other have to find it not serving."""
    starts: int = 3
    """So many are allowed."""
    within_s: float = 6 * 3600.0
    """In this time."""
    grace_s: float = 1800.0
    """So long it may load."""
    missed: int = 0
    began_s: float = 0.0
    """When it was started, or the keeping was."""
    started_s: tuple[float, ...] = ()

    def seen(self, now_s: float, *, serves: bool, loads: bool) -> RestartBudget:
        """After one look."""
        fine = serves or (loads and now_s - self.began_s < self.grace_s)
        return replace(self, missed=0 if fine else self.missed + 1)

    @property
    def due(self) -> bool:
        """It should be started again."""
        return self.missed >= self.misses

    def recent(self, now_s: float) -> int:
        """Starts that count still."""
        return sum(now_s - at < self.within_s for at in self.started_s)

    def spent(self, now_s: float) -> bool:
        """Another start would be one too many."""
        return self.recent(now_s) >= self.starts

    def rest_s(self, now_s: float) -> float:
        """Before the next start: nothing before the first, then twice as long each time."""
        count = self.recent(now_s)
        return min(FIRST_REST_S * 2 ** (count - 1), MOST_REST_S) if count else 0.0

    def started(self, now_s: float) -> RestartBudget:
        """It was started again."""
        return replace(self, missed=0, began_s=now_s, started_s=(*self.started_s, now_s))
