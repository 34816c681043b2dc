"""What a plan brings about, said before its commands: what ends, how long it takes, what starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sparkconsole.model.text.printable import size


@dataclass(frozen=True, slots=True)
class Moves:
    """What goes over a network."""

    what: str
    """`to spark-02`, `from https://huggingface.co`."""
    size_bytes: int | None = None
    """None: how much is known only afterwards."""

    @property
    def line(self) -> str:
        """`moves about 19.2 GB of the image to spark-02`."""
        much = "an unknown number of bytes" if self.size_bytes is None else f"about {size(self.size_bytes)}"
        return f"moves {much} {self.what}"


@dataclass(frozen=True, slots=True)
class Consequences:
    """What the person agrees to."""

    ends: tuple[str, ...] = ()
    """Servers with their requests, and work under way, one each; empty: nothing that was seen ends."""
    unknown: str = ""
    """Why what it ends cannot be known before; empty: it can."""
    moves: Moves | None = None
    """None: nothing to speak of."""
    seconds: float | None = None
    """The median of earlier runs; None: there are none."""
    runs: int = 0
    """So many earlier runs."""
    starts: str = ""
    """What is done."""
    empty: tuple[str, ...] = ()
    """Nodes on which no container of the cluster ran: what begins there ends nothing."""
    serving: tuple[str, ...] = ()
    """`node:port` of every rank that ends."""

    def ending(self) -> tuple[str, ...]:
        """What ends, a line each; empty: nothing."""
        unknown = (f"what it ends is not known before: {self.unknown}",) if self.unknown else ()
        return (*(f"ends {what}" for what in self.ends), *unknown)

    def lines(self) -> tuple[str, ...]:
        """As people read it, what ends first."""
        ends = self.ending() or ("ends no server and no work under way",)
        moves = (self.moves.line,) if self.moves else ()
        runs = f"{self.runs} earlier run{'s' * (self.runs != 1)}"
        takes = "how long it takes is unknown: no earlier run is kept"
        if (seconds := self.seconds) is not None:
            about = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
            takes = f"takes about {about}, as in {runs}"
        return (*ends, takes, *moves)

    def as_data(self) -> dict[str, Any]:
        """For JSON and the journal."""
        return {
            "ends": list(self.ends),
            "unknown": self.unknown,
            "moves": self.moves.what if self.moves else "",
            "bytes": self.moves.size_bytes if self.moves else 0,
            "seconds": self.seconds,
            "runs": self.runs,
            "starts": self.starts,
        }
