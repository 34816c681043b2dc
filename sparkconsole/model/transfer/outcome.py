"""How far a copy to one node is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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


class CopyState(StrEnum):
    """The word that a person and a script read."""

    COPIED = "copied"
    SAME = "already there"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CopyResult:
    """How the copy to one host ended."""

    host: str
    state: CopyState
    sent_bytes: int = 0
    seconds: float = 0.0
    detail: str = ""
    exit_code: int = 0

    def as_data(self) -> dict[str, Any]:
        """The result as JSON gives it."""
        return {
            "host": self.host,
            "state": self.state.value,
            "bytes": self.sent_bytes,
            "seconds": round(self.seconds, 1),
            "detail": self.detail,
        }
