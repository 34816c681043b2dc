"""Values that are made when something is done: names, times. Planned ahead, each is a named blank."""

from __future__ import annotations

import secrets
from collections import Counter

from sparkconsole.clock import Clock
from sparkconsole.model.text.blank import blank


class Fresh:
    """Where a plan takes what no earlier look can tell it: the values themselves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def name(self, prefix: str) -> str:
        """A name that nothing else has."""
        return f"{prefix}-{secrets.token_hex(4)}"

    def minute(self, what: str) -> str:
        """The time now as part of a name: `20261124-0915`."""
        return f"{self._clock.now():%Y%m%d-%H%M}"

    def second(self, what: str) -> str:
        """The time now, in seconds since 1970."""
        return str(int(self._clock.now().timestamp()))

    def unknown(self, what: str) -> str:
        """A value that only the run can tell."""
        return blank(what)


class FreshThen(Fresh):
    """Blanks that name the line of the script whose run will know."""

    def __init__(self, line: int) -> None:
        self._line, self._count = line, Counter[str]()

    def name(self, prefix: str) -> str:
        kind = prefix.partition("-")[0]
        self._count[kind] += 1
        return f"{prefix}-{blank(f'id of {kind} {self._count[kind]} of line {self._line}')}"

    def minute(self, what: str) -> str:
        return blank(f"minute of {what} of line {self._line}")

    def second(self, what: str) -> str:
        return blank(f"second of {what} of line {self._line}")

    def unknown(self, what: str) -> str:
        return blank(f"{what} after line {self._line}")
