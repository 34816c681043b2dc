"""What a plan brings about, said before its commands: what ends, how long it takes, what starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Consequences:
    """What the person agrees to."""

    ends: tuple[str, ...] = ()
    """Servers with their requests, and work under way, one each; empty: nothing that was seen ends."""
    seconds: float | None = None
    """The median of earlier runs; None: there are none."""
    runs: int = 0
    """So many earlier runs."""
    starts: str = ""
    """What is done."""

    def lines(self) -> tuple[str, ...]:
        """As people read it, what ends first."""
        ends = tuple(f"ends {what}" for what in self.ends) or ("ends no server and no work under way",)
        runs = f"{self.runs} earlier run{'s' * (self.runs != 1)}"
        takes = "how long it takes is unknown: no earlier run is kept"
        if self.seconds is not None:
            takes = f"takes about {_about(self.seconds)}, as in {runs}"
        return (*ends, takes)

    def as_data(self) -> dict[str, Any]:
        """For JSON and the journal."""
        return {"ends": list(self.ends), "seconds": self.seconds, "runs": self.runs, "starts": self.starts}


def _about(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
