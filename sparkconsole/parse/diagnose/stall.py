"""A log that says one thing over and over, and nothing else moves: a stall."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.parse.diagnose.log_frame import Framed
from sparkconsole.parse.diagnose.signs_of_life import Move

WAITS, SAYS, SAYS_WITHOUT_TIME = 3, 10, 25
"""How often a line that waits, and any other one with a time, is said until it is a stall."""
SHOWN = 300
_TAKE_TURNS = 3
"""So many different lines, said in turn, say nothing new."""
_SHAPE, _SHAPES = 160, 12
"""Characters by which lines are told apart, and how many of them may take turns."""
_DIGITS = str.maketrans("", "", "0123456789")
_BESIDE_A_BAR = re.compile(r"\[[\d:<, ?.]{3,40}(?:s/it|it/s|[KMG]?B/s)?\]")
"""The clock and the rate of a bar, which go on while the bar stands."""
_WAITING = re.compile(
    r"\b[Ww]ait(?:ing|s|ed)?\b|\b[Aa]wait(?:ing|s|ed)?\b|\b(?:has|have) not .{1,60} yet\b|"
    r"\b[Rr]etr(?:y|ying|ies)\b|\b[Ss]till\b|\bnot (?:yet )?(?:ready|available|responding)\b|\btimed out\b|"
    r"\b[Aa]ttempt \d|\bpending\b|\bunreachable\b|\brefused\b|\bfailed\b|\b[Nn]o available\b|\bblocked\b|"
    r"\bstuck\b|\bhang(?:s|ing)?\b|\btrying\b|\bpolling\b|\bsleep(?:ing)? for\b"
)


@dataclass(slots=True)
class _Repeat:
    text: str
    same: bool = True
    """Word for word, numbers too."""
    count: int = 0
    waits: bool = False
    timed: bool = False
    number: int = 0


class _Turns:
    """A few lines, word for word, that take turns: nothing new is said, whatever they mean."""

    def __init__(self) -> None:
        self._last: deque[str] = deque(maxlen=_TAKE_TURNS)
        self.count, self._clock = 0, False

    def feed(self, line: Framed) -> bool:
        """Whether it was said just before."""
        text = _BESIDE_A_BAR.sub("", line.text[:SHOWN])
        known = text in self._last and any(c.isalpha() for c in text)
        if not known:
            self._last.append(text)
        self.count, self._clock = self.count + line.times if known else 0, line.clock
        return known

    def forget(self) -> None:
        """A server that answers says the same again and again."""
        self._last.clear()
        self.count = 0

    def repeated(self) -> _Repeat | None:
        """Its last line; None: not often enough."""
        most = SAYS if self._clock else SAYS_WITHOUT_TIME
        return _Repeat(self._last[-1], count=self.count + 1, waits=True) if self.count >= most else None


class Stall:
    """Fed with every line; knows what has been said since something moved."""

    def __init__(self) -> None:
        self._since: dict[str, _Repeat] = {}
        self._moved = ""
        self._turns = _Turns()

    def feed(self, line: Framed, moved: Move | None, *, quiet: bool) -> bool:
        """Whether something moved. `quiet`: the line says nothing bad."""
        if self._turns.feed(line) and moved is not None and not moved.alive:
            return False
        if moved is not None and moved.alive:
            self._turns.forget()
        # An engine's own numbers say `Waiting: 0 reqs` beside its throughput.
        waits = bool(_WAITING.search(line.text)) and not (moved is not None and moved.alive)
        shape = line.text[:_SHAPE].translate(_DIGITS)
        known = shape in self._since
        if quiet and not waits and (moved is not None or not known):
            self._since.clear()
            self._moved = line.text[:SHOWN]
            if moved is not None:
                return True
        elif not known and len(self._since) >= _SHAPES:
            self._since.clear()
        one = self._since.setdefault(shape, _Repeat(line.text))
        one.same = one.same and one.text == line.text
        one.count += line.times
        one.waits, one.timed = waits or not quiet, line.at is not None
        return not known and quiet and not waits

    def report(self, found: Sequence[Diagnosis], node: str) -> list[Diagnosis]:
        """The findings with the stall: as its own, or said with the one that knows the line."""
        long = max(self._since.values(), key=lambda s: s.count, default=None)
        if long is None or not _is_stall(long):
            long = self._turns.repeated()
        if long is None:
            return list(found)
        last = f"the last thing that moved: {self._moved}" if self._moved else "nothing moved before it"
        for index, one in enumerate(found):
            if one.line[:SHOWN].translate(_DIGITS)[:_SHAPE] == long.text.translate(_DIGITS)[:_SHAPE]:
                return [*found[:index], replace(one, why=f"{one.why}; {last}"), *found[index + 1 :]]
        return [*found, _stalled(long, last, node)]


def _is_stall(one: _Repeat) -> bool:
    return one.count >= WAITS if one.waits else one.count >= SAYS and one.same and one.timed


def _stalled(repeat: _Repeat, last: str, node: str) -> Diagnosis:
    text = "one line is said again and again, and nothing else moves"
    remedy = "look at what it waits for; the same second in the logs of the other nodes"
    line, kind = repeat.text[:SHOWN], LineKind.END
    return Diagnosis("stalled", Weight.ERROR, text, last, remedy, line, node, kind=kind, count=repeat.count)
