"""How far a copy is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ByteProgress:
    """Bytes that passed so far."""

    done: int
    elapsed_s: float
    total: int | None = None
    """As the sender counted; None: it did not."""

    @property
    def rate_per_s(self) -> float | None:
        """Mean bytes per second; None in the first moment."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else None

    def eta_s(self, total: int | None) -> float | None:
        """Seconds until `total` bytes passed, at the mean rate; None when that cannot be said."""
        if not total or not self.rate_per_s:
            return None
        return max(0.0, (total - self.done) / self.rate_per_s)
