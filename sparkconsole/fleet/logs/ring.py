"""The last lines of a stream, each addressed by the number it had when it arrived."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Line = TypeVar("Line")


class LineRing(Generic[Line]):
    """Keeps `capacity` lines. Numbers only grow, so that a reader can keep a place while lines fall off."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.capacity, self.total = capacity, 0
        self._slots: list[Line] = []

    @property
    def first(self) -> int:
        """Number of the oldest line that is kept; `total` is the number of the next one."""
        return self.total - len(self._slots)

    def append(self, line: Line) -> None:
        """Adds a line; the oldest falls off when the ring is full."""
        if len(self._slots) < self.capacity:
            self._slots.append(line)
        else:
            self._slots[self.total % self.capacity] = line
        self.total += 1

    def __len__(self) -> int:
        return len(self._slots)

    def __getitem__(self, number: int) -> Line:
        if not self.first <= number < self.total:
            raise IndexError(f"line {number} is not kept; {self.first} to {self.total - 1} are")
        return self._slots[number % self.capacity]

    def __iter__(self) -> Iterator[Line]:
        return (self[number] for number in range(self.first, self.total))
