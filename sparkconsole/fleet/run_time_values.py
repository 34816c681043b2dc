"""Values that are made when something is done: names, times. Planned ahead, each is a named blank."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol

from sparkconsole.fleet.clock import Clock
from sparkconsole.model.work.plan import blank


class Fresh(Protocol):
    """Where a plan takes what no earlier look can tell it."""

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""

    def minute(self, what: str) -> str:
        """The time now as part of a name: `20261124-0915`."""

    def second(self, what: str) -> str:
        """The time now, in seconds since 1970."""

    def unknown(self, what: str) -> str:
        """A value that only the run can tell."""


@dataclass(frozen=True, slots=True)
class FreshNow:
    """The values themselves."""

    clock: Clock

    def name(self, prefix: str) -> str:
        return f"{prefix}-{secrets.token_hex(4)}"

    def minute(self, what: str) -> str:
        return f"{self.clock.now():%Y%m%d-%H%M}"

    def second(self, what: str) -> str:
        return str(int(self.clock.now().timestamp()))

    def unknown(self, what: str) -> str:
        return blank(what)


@dataclass(frozen=True, slots=True)
class FreshThen:
    """Blanks that name the line of the script whose run will know."""

    line: int
    _count: Counter[str] = field(default_factory=Counter)

    def name(self, prefix: str) -> str:
        kind = prefix.partition("-")[0]
        self._count[kind] += 1
        return f"{prefix}-{blank(f'id of {kind} {self._count[kind]} of line {self.line}')}"

    def minute(self, what: str) -> str:
        return blank(f"minute of {what} of line {self.line}")

    def second(self, what: str) -> str:
        return blank(f"second of {what} of line {self.line}")

    def unknown(self, what: str) -> str:
        return blank(f"{what} after line {self.line}")
