"""A log that says one thing over and over, and nothing else moves: a stall."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparkconsole.model.diagnosis import Diagnosis, Kind, Weight
from sparkconsole.parse.log_frame import Framed
from sparkconsole.parse.signs_of_life import Move

WAITS, SAYS = 3, 10
"""How often a line that waits, and any other one with a time, is said until it is a stall."""
SHOWN = 300
_SHAPE, _SHAPES = 160, 12
"""Characters by which lines are told apart, and how many of them may take turns."""
_DIGITS = str.maketrans("", "", "0123456789")
_WAITING = re.compile(
    r"\b[Ww]ait(?:ing|s|ed)?\b|\b[Rr]etr(?:y|ying|ies)\b|\b[Ss]till\b|\bnot (?:yet )?(?:ready|available|"
    r"responding)\b|"
    r"\btimed out\b|\b[Aa]ttempt \d|\bpending\b|\bunreachable\b|\brefused\b|\bfailed\b|\b[Nn]o available\b|"
    r"\bblocked\b|"
    r"\bstuck\b|\bhang(?:s|ing)?\b|\btrying\b|\bpolling\b|\bsleep(?:ing)? for\b"
)


@dataclass(slots=True)
class _Said:
    text: str
    same: bool = True
    """Word for word, numbers too."""
    count: int = 0
    waits: bool = False
    timed: bool = False
    number: int = 0


class Stall:
    """Fed with every line; knows what has been said since something moved."""

    def __init__(self) -> None:
        self._since: dict[str, _Said] = {}
        self._moved = ""

    def feed(self, line: Framed, moved: Move | None, *, quiet: bool) -> bool:
        """Whether something moved. `quiet`: the line says nothing bad."""
        waits = bool(_WAITING.search(line.text))
        shape = line.text[:_SHAPE].translate(_DIGITS)
        known = shape in self._since
        if quiet and not waits and (moved is not None or not known):
            self._since.clear()
            self._moved = line.text[:SHOWN]
            if moved is not None:
                return True
        elif not known and len(self._since) >= _SHAPES:
            self._since.clear()
        said = self._since.setdefault(shape, _Said(line.text))
        said.same = said.same and said.text == line.text
        said.count += line.times
        said.waits, said.timed = waits or not quiet, line.at is not None
        return not known and quiet and not waits

    def told(self, found: Sequence[Diagnosis], node: str) -> list[Diagnosis]:
        """The findings with the stall: as its own, or said with the one that knows the line."""
        long = max(self._since.values(), key=lambda s: s.count, default=None)
        if long is None or not _is_stall(long):
            return list(found)
        last = f"the last thing that moved: {self._moved}" if self._moved else "nothing moved before it"
        for index, one in enumerate(found):
            if one.line[:SHOWN].translate(_DIGITS)[:_SHAPE] == long.text.translate(_DIGITS)[:_SHAPE]:
                return [*found[:index], replace(one, why=f"{one.why}; {last}"), *found[index + 1 :]]
        return [*found, _stalled(long, last, node)]


def _is_stall(said: _Said) -> bool:
    if said.waits:
        return said.count >= WAITS
    return said.count >= SAYS and said.same and said.timed


def _stalled(said: _Said, last: str, node: str) -> Diagnosis:
    return Diagnosis(
        "stalled",
        Weight.ERROR,
        "one line is said again and again, and nothing else moves",
        last,
        "look at what it waits for; the same second in the logs of the other nodes",
        said.text[:SHOWN],
        node,
        None,
        Kind.END,
        count=said.count,
    )
