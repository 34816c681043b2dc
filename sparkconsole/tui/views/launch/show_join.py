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
    Column("part", "ROLE", width=6, drop=1),
    Column("container", "CONTAINER", width=10),
    Column("ray", "RAY", width=9),
    Column("gpu", "GPU", width=5),
    Column("why", "DETAIL", grow=True, min=10),
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
    "container": dict(zip(JoinStage, ("waiting", "starting", "running", "failed", "n/a"), strict=True)),
    "ray": dict(zip(JoinStage, ("waiting", "joining", "joined", "failed", "n/a"), strict=True)),
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
    def urgency(self) -> int:
        """Wrong ones first, then those on their way, then those that arrived."""
        stages = (self.container, self.ray, self.gpu)
        return 0 if JoinStage.FAILED in stages else 2 if self.arrived else 1

    @property
    def arrived(self) -> bool:
        """Nothing is missing."""
        return {self.container, self.ray, self.gpu} <= {JoinStage.REACHED, JoinStage.ABSENT}

    def up(self, why: str, ray: JoinStage | None = None, gpu: JoinStage | None = None) -> JoinLine:
        """Its container runs; what Ray says of it counts where the launch has Ray."""
        if self.ray is JoinStage.ABSENT:
            return replace(self, container=JoinStage.REACHED, why=why)
        stages = {"ray": ray or self.ray, "gpu": gpu or self.gpu}
        return replace(self, container=JoinStage.REACHED, why=why, **stages)


def board(
    plan: Plan | None, nodes: Sequence[str], news: Iterable[News], *, done: bool = False
) -> tuple[JoinLine, ...]:
    """A line per node of the cluster that takes part, from what was told so far; `done`: all are ready."""
    ray = any("ray" in step.argv for step in plan.steps) if plan else False
    rest = {} if ray else {"ray": JoinStage.ABSENT, "gpu": JoinStage.ABSENT}
    taking = [n for n in nodes if plan and n in plan.nodes()]
    lines = {n: JoinLine(n, "head" if n == nodes[0] else "worker", **rest) for n in taking}
    for item in news:
        _hear(lines, item)
    if done:
        return tuple(line.up("", JoinStage.REACHED, JoinStage.REACHED) for line in lines.values())
    return tuple(lines.values())


def _hear(lines: dict[str, JoinLine], news: News) -> None:
    match news:
        case StepBegan(node, sentence) if node in lines:
            if lines[node].container in (JoinStage.WAITING, JoinStage.STARTED):
                lines[node] = replace(lines[node], container=JoinStage.STARTED, why=sentence)
        case StepEnded(outcome) if not outcome.ok and outcome.step.node in lines:
            node = outcome.step.node
            lines[node] = replace(lines[node], why=outcome.detail)
        case Remark(text, node) if node in lines:
            reach, why = _split(text)
            lines[node] = _reached(lines[node], reach, why)


def _split(text: str) -> tuple[NodeStage | None, str]:
    """`running: Ray does not list it yet` as its two halves."""
    for value in _REACHES:
        if text == value or text.startswith(f"{value}: "):
            return NodeStage(value), text[len(value) + 2 :]
    return None, ""


def _reached(line: JoinLine, reach: NodeStage | None, why: str) -> JoinLine:
    match reach:
        case NodeStage.STARTED:
            return replace(line, container=JoinStage.STARTED, why=why or "checking that it runs")
        case NodeStage.UP:
            return line.up(why, JoinStage.STARTED)
        case NodeStage.JOINED:
            return line.up(why, JoinStage.REACHED, JoinStage.STARTED if why else JoinStage.REACHED)
        case NodeStage.FAILED | NodeStage.LOST:
            return _failed(line, why or reach.value)
        case NodeStage.REMOVED:
            text = f"{line.why}; removed" if line.why else "removed"
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
    return [_row(line) for line in sorted(lines, key=lambda line: line.urgency)]


def _row(line: JoinLine) -> TableRow:
    why = Text(plain(line.why), "$node-lost" if line.urgency == 0 else "$muted")
    stages = [_stage(name, getattr(line, name)) for name in ("container", "ray", "gpu")]
    return TableRow(line.node, (plain(line.node), line.part, *stages, why))


def _stage(name: str, state: JoinStage) -> Text:
    mark, style = MARKS[state]
    return Text(f"{mark} {WORDS[name][state]}".rstrip(), style)


def summary(lines: Sequence[JoinLine], *, running: bool, failed: bool) -> Text:
    """`2 of 4 nodes are ready`."""
    there = sum(line.arrived for line in lines)
    bad = sum(line.urgency == 0 for line in lines)
    text = f"{there} of {len(lines)} nodes are ready" + (f", {bad} failed" if bad else "")
    mark, style = ("✖", "$node-lost") if failed else ("▶", "$bar") if running else ("✔", "$node-up")
    return Text(f"{mark} {text}", style)
