"""What every part of the program uses: lines of JSON, errors for people, and how a program gets there."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any, BinaryIO

BOOT = "import sys;i=sys.stdin.buffer;n=int(i.readline());exec(compile(i.read(n),'image','exec'))"
"""Reads a program from standard input and leaves the rest of it to the program."""
AFTERWARDS = ("error waiting for container", "docker run --help")
"""What `docker run` (20.10 to 29) adds to its reason: where help is to be had, that it stopped waiting."""
FALL_BACK = 75
"""Exit status of a sender that could not do it this way."""
EVERY_S = 0.5
"""So often at most it is said how far a copy is."""
CHUNK = 1 << 20
BAR = threading.Lock()


class Wrong(Exception):
    """Something that a person is told. `final`: the whole image would end the same way."""

    def __init__(self, why: str, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def say(**words: Any) -> None:
    """A line of JSON; nobody may be there to read it any more."""
    with BAR:
        try:
            sys.stdout.write(json.dumps(words) + "\n")
            sys.stdout.flush()
        except OSError:
            # Else Python tries once more at its end, and says so.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def give(pipe: BinaryIO, program: bytes) -> None:
    """What BOOT waits for."""
    pipe.write(b"%d\n" % len(program) + program)
    pipe.flush()


def last_line(output: BinaryIO) -> str:
    """Of what a process that has ended wrote into a file: the last line that is a cause."""
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").strip().splitlines()
    causes = [line for line in lines if line.strip() and not any(mark in line for mark in AFTERWARDS)]
    return (causes or lines or [""])[-1][-1000:]


def program() -> bytes:
    """This program's own text, for its other ends."""
    whole: bytes = globals()["PROGRAM"]
    return whole


class Progress:
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
