"""What a log says went wrong: one diagnosis a cause, the root cause first, what follows from it after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from sparkconsole.model.text.alike import groups


class Weight(StrEnum):
    """How bad it is: an error ends or stops something, a warning costs speed or time, info only tells."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class LineKind(StrEnum):
    """What a line is to the trouble."""

    CAUSE = "cause"
    """It says by itself what is wrong."""
    END = "end"
    """Something ended or was thrown, and nobody knows that line: the first of them is the best guess."""
    UNKNOWN = "unknown"
    """A program calls it bad, and nobody knows the line."""
    CONSEQUENCE = "consequence"
    """It follows from something else, on this node or on another."""
    FACT = "fact"
    """Good to know, wrong only when its weight says so."""
    HARMLESS = "harmless"
    """It looks bad and is not."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding in a log."""

    id: str
    severity: Weight
    text: str
    why: str
    remedy: str
    line: str = ""
    """The line that says it, made safe to show."""
    node: str = ""
    rank: int | None = None
    kind: LineKind = LineKind.CAUSE
    number: int = 0
    """Of the line, from 1."""
    at: float | None = None
    """Seconds on the log's own clock, to compare lines with; None: the log has no times."""
    count: int = 1
    """How often it was said."""

    def named(self, named: Callable[[str], str]) -> Diagnosis:
        """With the names of nodes beside their addresses."""
        words = {name: named(getattr(self, name)) for name in ("text", "why", "line", "node")}
        return replace(self, **words)  # type: ignore[arg-type]

    def as_data(self) -> dict[str, object]:
        """As `--json` gives it."""
        return {
            "id": self.id, "severity": self.severity.value, "node": self.node, "rank": self.rank,
            "line": self.line, "text": self.text, "why": self.why, "remedy": self.remedy,
            "kind": self.kind.value, "number": self.number, "count": self.count,
        }  # fmt: skip


def ranked(found: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Root cause first: what is worst, then causes before ends before consequences, then what came first.

    What only follows is no error beside a cause: NCCL's heartbeat and `Connection reset by peer` are said by
    the ranks that are well.
    """
    every = _over_new_year(tuple(found))
    root = _root([d for d in every if d.severity is Weight.ERROR])
    return tuple(sorted((_beside(root, d) for d in every), key=lambda d: (d is not root, _order(d))))


def _root(errors: list[Diagnosis]) -> Diagnosis | None:
    """A cause; where nobody knows one, what was said clearly before the best guess is a better one."""
    best = min(errors, key=_order, default=None)
    if best is None or best.kind is LineKind.CAUSE:
        return best
    earlier = (d for d in errors if _before(d, best) and d.kind is not LineKind.UNKNOWN)
    return min(earlier, key=_when, default=best)


def _when(one: Diagnosis) -> float:
    """What stands before a log's first time was said before it."""
    return -1.0 if one.at is None else one.at


_YEAR_S = 12 * 31 * 86_400
"""Of the clock that lines without a year are read by: every month has 31 days."""


def _over_new_year(found: tuple[Diagnosis, ...]) -> tuple[Diagnosis, ...]:
    """Times without a year: where they lie half a year apart, January came after December."""
    last = max((d.at for d in found if d.at is not None), default=0.0)
    early = last - _YEAR_S / 2
    return tuple(replace(d, at=d.at + _YEAR_S) if d.at is not None and d.at < early else d for d in found)


_SKEW_S = 30.0
"""By so much the clocks and the buffers of two nodes may differ."""


def _before(one: Diagnosis, other: Diagnosis) -> bool:
    """Whether it was said so long before the other that it cannot follow from it."""
    return one.at is not None and other.at is not None and one.at < other.at - _SKEW_S


def _beside(root: Diagnosis | None, one: Diagnosis) -> Diagnosis:
    if root is None or one is root:
        return one
    if one.kind is LineKind.UNKNOWN:
        return replace(one, severity=Weight.INFO)
    if _before(one, root):
        return one
    follows = one.kind in (LineKind.CONSEQUENCE, LineKind.END) and one.severity is Weight.ERROR
    return replace(one, severity=Weight.INFO, kind=LineKind.CONSEQUENCE) if follows else one


def _order(one: Diagnosis) -> tuple[int, int, float, int]:
    # Among warnings what is known says more than what is not.
    last = one.kind is LineKind.UNKNOWN and one.severity is not Weight.ERROR
    kind = len(LineKind) if last else list(LineKind).index(one.kind)
    return (list(Weight).index(one.severity), kind, _when(one), one.number)


def first_error(found: Iterable[Diagnosis]) -> Diagnosis | None:
    """The root cause; None: nothing is wrong."""
    return next((d for d in ranked(found) if d.severity is Weight.ERROR), None)


_SHOWN = 3
"""Unknown lines that are told beside what is known."""
_GLYPHS = {Weight.ERROR: "✖", Weight.WARNING: "!", Weight.INFO: "·"}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a log ends: only what shows that it works may call it healthy."""

    node: str = ""
    alive: bool = False
    """It says so itself: ready, requests answered, an image exported, exit 0."""
    stage: str = ""
    """What was going on at its end, `loading weights`; empty: not known."""
    last: str = ""
    """Its last line, made safe to show; empty: it has none."""

    def as_data(self) -> dict[str, object]:
        """As `--json` gives it."""
        return {"node": self.node, "alive": self.alive, "stage": self.stage, "last": self.last}

    @property
    def words(self) -> str:
        """What its end says where nothing was found."""
        whose = f"{self.node}: " if self.node else ""
        if self.alive:
            return f"✔ {whose}no known problem found"
        if not self.last:
            return f"· {whose}nothing known: the log is empty"
        where = f"the log ends while {self.stage}" if self.stage else "the log ends in"
        return f"· {whose}nothing known in it, and no sign of life: {where}: {self.last}"


def verdict(found: Iterable[Diagnosis], endings: Iterable[Ending]) -> str:
    """`wrong`, `warning`, `healthy`, or `unknown`: nothing known, and nothing that shows that it works."""
    weights = {d.severity for d in found}
    if weights & {Weight.ERROR, Weight.WARNING}:
        return "wrong" if Weight.ERROR in weights else "warning"
    every = tuple(endings)
    return "healthy" if every and all(s.alive for s in every) else "unknown"


def paragraphs(found: tuple[Diagnosis, ...], endings: Iterable[Ending] = ()) -> Iterator[str]:
    """For people: the worst first, each with its line; what only follows is told in one sentence.

    `endings`: how each log ends, told where nothing is wrong.
    """
    mild = (LineKind.CONSEQUENCE, LineKind.UNKNOWN)
    follows = [d for d in found if d.kind in mild and d.severity is Weight.INFO]
    for one in (d for d in found if d not in follows):
        yield _paragraph(one)
    known = [d for d in follows if d.kind is LineKind.CONSEQUENCE]
    if known:
        yield "What follows from it: " + "; ".join(_consequences(known))
    unknown = [d for d in follows if d.kind is LineKind.UNKNOWN]
    for one in unknown[:_SHOWN]:
        yield f"· {_sentence(one)}: {one.line}"
    if len(unknown) > _SHOWN:
        yield f"· and {len(unknown) - _SHOWN} more lines that are not known: --json has them"
    if all(d.severity is Weight.INFO for d in found):
        yield from tuple(s.words for s in endings) or ("· nothing known to be wrong in it",)


def _consequences(follows: list[Diagnosis]) -> Iterator[str]:
    """Each consequence with everybody who told it, in the order in which they did."""
    for same in groups(follows, lambda one: one.text):
        whose = " and ".join(dict.fromkeys(place for one in same if (place := _place(one))))
        yield f"{whose}: {same[0].text}" if whose else same[0].text


def _paragraph(one: Diagnosis) -> str:
    times = f" ({one.count} times)" if one.count > 1 else ""
    lines = [f"{_GLYPHS[one.severity]} {_sentence(one)}{times}", f"    why     {one.why}"]
    lines += [f"    do      {one.remedy}"] if one.remedy else []
    number = f" {one.number:<6}" if one.number else " " * 7
    lines += [f"    line{number} {one.line}"] if one.line else []
    return "\n".join(lines)


def _place(one: Diagnosis) -> str:
    rank = f"rank {one.rank}" if one.rank is not None else ""
    return ", ".join(filter(None, (one.node, rank)))


def _sentence(one: Diagnosis) -> str:
    """What it is, and where."""
    return f"{place}: {one.text}" if (place := _place(one)) else one.text
