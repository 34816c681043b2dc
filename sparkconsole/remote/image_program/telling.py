"""How far a copy is, for the console: a line of JSON now and then, and one at each turn of a layer."""

from __future__ import annotations

import time
from typing import Any

from sparkconsole.remote.image_program.said import say

EVERY_S = 0.5


class Told:
    """Counts the bytes of all layers, and says them."""

    def __init__(self, layers: int, clock: Any = time.monotonic) -> None:
        self.layers, self.clock = layers, clock
        self.began, self.last, self.total = clock(), 0.0, 0
        self.done: dict[int, int] = {}
        self.phases: dict[int, str] = {}

    def expect(self, total: int) -> None:
        """So many bytes will come."""
        self.total = total
        say(total=total, layers=self.layers)

    def turn(self, place: int, phase: str, size: int) -> None:
        """A layer is `receiving`, `registering` or `there`; said once."""
        if self.phases.get(place) != phase:
            self.phases[place] = phase
            self._say(place, phase, size)

    def got(self, place: int, done: int, size: int) -> None:
        """So much of a layer has come."""
        self.done[place] = done
        if self.clock() - self.last >= EVERY_S:
            self._say(place, "receiving", size)

    def came(self, place: int, size: int) -> None:
        """A layer that was on its way has come; one that never was had been there."""
        if place in self.done:
            self.done[place] = size

    @property
    def sent(self) -> int:
        """Bytes of all layers so far."""
        return sum(self.done.values())

    def _say(self, place: int, phase: str, size: int) -> None:
        self.last = self.clock()
        seconds = round(self.last - self.began, 2)
        layer = {"layer": place + 1, "of": self.layers, "phase": phase, "size": size}
        say(**layer, done=self.done.get(place, 0), sent=self.sent, total=self.total, seconds=seconds)
