"""The two lines around a log: what is read, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from sparkconsole.model.logs.line import Level
from sparkconsole.model.text.printable import printable


@dataclass(frozen=True, slots=True)
class LogsHeading:
    """Everything that the two lines say."""

    source: str = "all"
    nodes: tuple[str, ...] = ()
    least: Level = Level.DEBUG
    kept: int = 0
    capacity: int = 0
    per_s: float = 0.0
    follow: bool = True
    wrap: bool = False
    times: bool = True
    filter: str = ""
    matches: int | None = None
    sources: int = 0


def head_text(now: LogsHeading) -> str:
    """`source ◂ serve ▸   nodes all   level ≥ info   lines 9 981/10 000   12/s`."""
    nodes = ", ".join(now.nodes) or "all"
    least = "all" if now.least is Level.DEBUG else f"≥ {now.least.name.lower()}"
    lines = f"lines {grouped(now.kept)}/{grouped(now.capacity)}"
    what = f"source ◂ {now.source} ▸   nodes {nodes}   level {least}"
    if not now.sources:
        return printable(f"{what}   nothing to read: no such log here")
    return printable(f"{what}   {lines}   {now.per_s:.0f}/s")


def tail_text(now: LogsHeading) -> str:
    """`▼ following   wrap off   time on   filter: none   matches –`."""
    follow = "▼ following" if now.follow else "‖ staying"
    matches = "–" if now.matches is None else str(now.matches)
    return printable(
        f"{follow}   wrap {_on(now.wrap)}   time {_on(now.times)}   "
        f"filter: {now.filter or 'none'}   matches {matches}"
    )


def _on(value: bool) -> str:
    return "on" if value else "off"


def grouped(number: int) -> str:
    """`9 981`, with narrow spaces that do not break."""
    return f"{number:,}".replace(",", " ")
