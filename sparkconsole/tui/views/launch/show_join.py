"""How far each node of a launch got: container, Ray, GPU, and why one of them is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from rich.text import Text

from sparkconsole.model.launch.state import NodeStage
from sparkconsole.model.work.news import News, Remark, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import plain

COLUMNS = (
    Column("node", "NODE", min=8, max=24),
    Column("part", "PART", width=6, drop=1),
    Column("container", "CONTAINER", width=9),
    Column("ray", "RAY", width=9),
    Column("gpu", "GPU", width=5),
    Column("why", "WHY", grow=True, min=10),
)


class JoinStage(StrEnum):
    """How far a node is with its container, with Ray or with its GPU."""

    WAITING = ""
    STARTED = "on"
    REACHED = "yes"
    FAILED = "bad"
    ABSENT = "no"
    """This launch has no such stage."""


MARKS = {
    JoinStage.WAITING: ("○", "$muted"),
    JoinStage.STARTED: ("▶", "$bar"),
    JoinStage.REACHED: ("✔", "$node-up"),
    JoinStage.FAILED: ("✖", "$node-lost"),
    JoinStage.ABSENT: ("–", "$muted"),
}
WORDS = {
    "container": dict(zip(JoinStage, ("waits", "starts", "runs", "failed", "n/a"), strict=True)),
    "ray": dict(zip(JoinStage, ("waits", "joining", "joined", "failed", "n/a"), strict=True)),
    "gpu": dict(zip(JoinStage, ("", "…", "1", "none", "n/a"), strict=True)),
}
_REACHES = sorted((reach.value for reach in NodeStage), key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class JoinLine:
    """One node."""

    node: str
    part: str = ""
    container: JoinStage = JoinStage.WAITING
    ray: JoinStage = JoinStage.WAITING
    gpu: JoinStage = JoinStage.WAITING
    why: str = ""

    @property
    def stands(self) -> int:
        """Wrong ones first, then those on their way, then those that arrived."""
        stages = (self.container, self.ray, self.gpu)
        return 0 if JoinStage.FAILED in stages else 2 if self.arrived else 1

    @property
    def arrived(self) -> bool:
        """Nothing is missing."""
        return all(
            stage in (JoinStage.REACHED, JoinStage.ABSENT) for stage in (self.container, self.ray, self.gpu)
        )


def board(
    plan: Plan | None, nodes: Sequence[str], news: Iterable[News], *, done: bool = False
) -> tuple[JoinLine, ...]:
    """A line per node of the cluster that takes part, from what was told so far; `done`: all are ready."""
    ray = any("ray" in step.argv for step in plan.steps) if plan else False
    taking = plan.nodes() if plan else ()
    fresh = [n for n in nodes if n in taking]
    rest = {} if ray else {"ray": JoinStage.ABSENT, "gpu": JoinStage.ABSENT}
    lines = {n: JoinLine(n, "head" if n == nodes[0] else "worker", **rest) for n in fresh}
    for item in news:
        _hear(lines, item, ray=ray)
    if done:
        return tuple(_ready(line, ray=ray) for line in lines.values())
    return tuple(lines.values())


def _ready(line: JoinLine, *, ray: bool) -> JoinLine:
    rest = {"ray": JoinStage.REACHED, "gpu": JoinStage.REACHED} if ray else {}
    return replace(line, container=JoinStage.REACHED, why="", **rest)


def _hear(lines: dict[str, JoinLine], news: News, *, ray: bool) -> None:
    if isinstance(news, StepBegan) and news.node in lines:
        line = lines[news.node]
        if line.container is JoinStage.WAITING:
            lines[news.node] = replace(line, container=JoinStage.STARTED, why=news.sentence)
        elif line.container is JoinStage.STARTED:
            lines[news.node] = replace(line, why=news.sentence)
    elif isinstance(news, StepEnded) and not news.outcome.ok:
        node = news.outcome.step.node
        if node in lines:
            lines[node] = replace(lines[node], why=news.outcome.detail)
    elif isinstance(news, Remark) and news.node in lines:
        reach, why = _split(news.text)
        if reach is not None:
            lines[news.node] = _reached(lines[news.node], reach, why, ray=ray)


def _split(text: str) -> tuple[NodeStage | None, str]:
    """`running: Ray does not list it yet` as its two halves."""
    for value in _REACHES:
        if text == value or text.startswith(f"{value}: "):
            return NodeStage(value), text[len(value) + 2 :]
    return None, ""


def _reached(line: JoinLine, reach: NodeStage, why: str, *, ray: bool) -> JoinLine:
    match reach:
        case NodeStage.STARTED:
            return replace(line, container=JoinStage.STARTED, why=why or "is it running?")
        case NodeStage.UP:
            rest = {"ray": JoinStage.STARTED} if ray else {}
            return replace(line, container=JoinStage.REACHED, why=why, **rest)
        case NodeStage.JOINED:
            rest = (
                {"ray": JoinStage.REACHED, "gpu": JoinStage.STARTED if why else JoinStage.REACHED}
                if ray
                else {}
            )
            return replace(line, container=JoinStage.REACHED, why=why, **rest)
        case NodeStage.FAILED | NodeStage.LOST:
            return _failed(line, why or reach.value)
        case NodeStage.REMOVED:
            text = f"{line.why}; taken back" if line.why else "taken back"
            left = JoinStage.FAILED if line.container is JoinStage.FAILED else JoinStage.WAITING
            return replace(line, why=text, container=left)
    return line


def _failed(line: JoinLine, why: str) -> JoinLine:
    """It failed at the stage it had not passed yet."""
    if line.container is JoinStage.REACHED and line.ray is JoinStage.STARTED:
        return replace(line, ray=JoinStage.FAILED, why=why)
    return replace(line, container=JoinStage.FAILED, why=why)


def board_rows(lines: Sequence[JoinLine]) -> list[TableRow]:
    """Wrong ones first, in a table."""
    return [_row(line) for line in sorted(lines, key=lambda line: line.stands)]


def _row(line: JoinLine) -> TableRow:
    why = Text(plain(line.why), "$node-lost" if line.stands == 0 else "$muted")
    stages = [_stage(name, getattr(line, name)) for name in ("container", "ray", "gpu")]
    return TableRow(line.node, (plain(line.node), line.part, *stages, why))


def _stage(name: str, state: JoinStage) -> Text:
    mark, style = MARKS[state]
    return Text(f"{mark} {WORDS[name][state]}".rstrip(), style)


def summary(lines: Sequence[JoinLine], *, running: bool, failed: bool) -> Text:
    """`2 of 4 nodes are ready`."""
    there = sum(line.arrived for line in lines)
    bad = sum(line.stands == 0 for line in lines)
    text = f"{there} of {len(lines)} nodes are ready" + (f", {bad} failed" if bad else "")
    if failed:
        return Text(f"✖ {text}", "$node-lost")
    return Text(f"▶ {text}", "$bar") if running else Text(f"✔ {text}", "$node-up")
