"""News from work under way. The core reports, faces draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparkconsole.model.plan import Plan, StepOutcome


@dataclass(frozen=True, slots=True)
class PlanShown:
    """The plan that is about to be carried out."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A step of the plan started."""

    node: str
    sentence: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """A step of the plan ended."""

    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class Output:
    """A line that a command printed."""

    node: str
    line: str
    quiet: bool = False
    """Kept in the journal, shown only to who asks for it: the log of a server, of a removed container."""


@dataclass(frozen=True, slots=True)
class Advance:
    """How far something is: `done` of `total` in `unit`, with the rate and the seconds left where known."""

    node: str
    what: str
    done: float = 0.0
    total: float | None = None
    unit: str = ""
    rate_per_s: float | None = None
    eta_s: float | None = None
    elapsed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence for the person: a phase reached, a warning, a decision taken."""

    text: str
    node: str = ""
    level: str = "info"


News = PlanShown | StepBegan | StepEnded | Output | Advance | Remark
Report = Callable[[News], None]
"""Where work under way sends its news; never blocks, never raises."""


def nobody(_: News) -> None:
    """A report that nobody reads."""
