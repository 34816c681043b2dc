"""What one trial saw, and nothing that it thinks of it: plain values, kept as a line of JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any


class Hits(StrEnum):
    """What a fault is done to."""

    NOTHING = "nothing"
    OTHER = "another console ends what this one makes"
    NODE = "node"
    CONSOLE = "console"
    JOURNAL = "journal"


@dataclass(frozen=True)
class Line:
    """A line that a console printed, with the seconds since it was started."""

    at: float
    text: str


WAITS = re.compile(r"is waited for until \d\d:\d\d:\d\d")
"""A console says until when it waits for a lost node, and says it again every quarter of a minute."""
ENOUGH = 6
"""Times that it has been said: what a console that waits does next, another trial shows."""


def waits_long(lines: Iterable[Line]) -> bool:
    """It has waited for more than a minute; whether for ever is not what a trial is for."""
    return len({line.at // 10 for line in lines if WAITS.search(line.text)}) >= ENOUGH


@dataclass(frozen=True)
class Ending:
    """How a console ended: negative exit codes are signals; not `in_time`: it had to be ended by us."""

    exit_code: int
    took_s: float
    lines: tuple[Line, ...] = ()
    in_time: bool = True

    @property
    def text(self) -> str:
        """All it printed."""
        return "\n".join(line.text for line in self.lines)

    @property
    def quiet_s(self) -> float:
        """The longest time without a line, from its start to its end."""
        times = (0.0, *(line.at for line in self.lines), self.took_s)
        return max(later - earlier for earlier, later in pairwise(times))


@dataclass(frozen=True)
class Leftover:
    """Something of a verb that is on a node afterwards and was not there before."""

    node: str
    kind: str
    """process, port, container, file, half (part of a file), layer (an image without a name), node (down)"""
    what: str


@dataclass(frozen=True)
class Record:
    """One trial: the fault, the console's words, and what the nodes said past the console."""

    seed: int
    number: int
    verb: str
    fault: str
    words: tuple[str, ...]
    hits: Hits
    node: str = ""
    """The node that the fault was done to."""
    looks: bool = False
    """The verb only looks: its promise is to say which nodes are in trouble."""
    moment_s: float = 0.0
    missed: bool = False
    """The verb had ended before the fault came."""
    ending: Ending = field(default_factory=lambda: Ending(0, 0))
    other: Ending | None = None
    """A second console, which did the same; where the fault hits OTHER, one that ends what this one makes."""
    attached: Ending | None = None
    """`runs attach`, where the journal called the run open."""
    reached: bool | None = None
    """Whether what the verb promises was so when it ended; None: a node could not be read."""
    reached_after: bool | None = None
    """The same when the fault was over and the run had been attached to."""
    running: tuple[str, ...] = ()
    """What of the verb still ran on the nodes when the console had ended: node and process."""
    troubled: tuple[str, ...] = ()
    """Nodes that could not be logged in to, or whose engine did not answer, when the console ended."""
    run_state: str = ""
    """What the journal said of the run when its console had ended; empty: there was no run of it."""
    left: tuple[Leftover, ...] = ()
    leaves: tuple[str, ...] = ()
    """Kinds of things that the verb is for."""
    lasts: bool = False
    """The verb ends when it is told to: its promise is kept until then."""
    on_screen: bool = False
    shown_up: int | None = None
    """How many nodes the screen said to be up with the fault still there; None: no screen, or no console."""
    are_up: int = 0
    """How many could be logged in to, as that was read."""
    shown_up_after: int | None = None
    """The same when the fault was over: both nodes can be logged in to."""
    left_here: tuple[str, ...] = ()
    """Temporary files on the console's own machine."""

    @property
    def consoles(self) -> tuple[Ending, ...]:
        """Every console of the trial but the one that attached."""
        return (self.ending,) if self.other is None else (self.ending, self.other)

    @property
    def undone(self) -> bool:
        """Another console ended what this one made, and was the last to speak."""
        crossed = self.hits is Hits.OTHER and self.other is not None and self.other.exit_code == 0
        return crossed and self.moment_s + (self.other.took_s if self.other else 0) > self.ending.took_s

    @property
    def text(self) -> str:
        """All that any console of the trial printed."""
        ends = (*self.consoles, *((self.attached,) if self.attached else ()))
        return "\n".join(end.text for end in ends)

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Record:
        """Back from JSON."""
        fixed: dict[str, Any] = {**data, "hits": Hits(data["hits"])}
        for name in ("ending", "other", "attached"):
            fixed[name] = _ending(data[name])
        for name in ("words", "running", "troubled", "left_here", "leaves"):
            fixed[name] = tuple(data[name])
        fixed["left"] = tuple(Leftover(**each) for each in data["left"])
        return cls(**fixed)


def _ending(data: Mapping[str, Any] | None) -> Ending | None:
    if data is None:
        return None
    return Ending(**{**data, "lines": tuple(Line(**line) for line in data["lines"])})
