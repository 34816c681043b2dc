"""How a copy to one node ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
