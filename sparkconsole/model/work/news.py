"""News from work under way. The core reports, faces draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparkconsole.model.text.units import hms, size
from sparkconsole.model.work.plan import Plan, StepOutcome


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
    piece: str = ""
    """The part that is under way, and how far that is: `layer 3 of 7 40 %`."""


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


def advance_word(news: Advance) -> str:
    """The same for one line: a share of one phase names the phase, `100 % of weights`."""
    return f"{advance_text(news)} of {news.what}" if news.unit == "%" else advance_text(news)


def advance_text(news: Advance) -> str:
    """`3 of 7`, `3 done`, `1.2 GB of 3.4 GB, 310.0 MB/s, 00:00:07 left`, or what is known of it."""
    if news.unit == "%":
        return f"{news.done:.0f} %"
    show = size if news.unit == "B" else lambda n: f"{n:g}{news.unit and ' ' + news.unit}"
    of = f" of {show(news.total)}" if news.total is not None else "" if news.unit else " done"
    words = [show(news.done) + of] if news.done or news.total is not None else []
    words += [f"{show(news.rate_per_s)}/s"] if news.rate_per_s else []
    words += [f"{hms(news.eta_s)} left"] if news.eta_s is not None else []
    words += [hms(news.elapsed_s)] if news.elapsed_s is not None else []
    return ", ".join(filter(None, (*words, news.piece)))
