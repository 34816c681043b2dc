"""How far each node of a launch got: container, Ray, GPU, and why one of them is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
MARKS = {
    "": ("○", "$muted"),
    "no": ("–", "$muted"),
    "on": ("▶", "$bar"),
    "yes": ("✔", "$node-up"),
    "bad": ("✖", "$node-lost"),
}
WORDS = {
    "container": {"": "waits", "on": "starts", "yes": "runs", "bad": "failed", "no": "n/a"},
    "ray": {"": "waits", "on": "joining", "yes": "joined", "bad": "failed", "no": "n/a"},
    "gpu": {"": "", "on": "…", "yes": "1", "bad": "none", "no": "n/a"},
}
_REACHES = sorted((reach.value for reach in NodeStage), key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class JoinLine:
    """One node. Each stage: empty (not begun), on, yes, bad, or no (this launch has no such stage)."""

    node: str
    part: str = ""
    container: str = ""
    ray: str = ""
    gpu: str = ""
    why: str = ""

    @property
    def stands(self) -> int:
        """Wrong ones first, then those on their way, then those that arrived."""
        stages = (self.container, self.ray, self.gpu)
        return 0 if "bad" in stages else 2 if self.arrived else 1

    @property
    def arrived(self) -> bool:
        """Nothing is missing."""
        return all(stage in ("yes", "no") for stage in (self.container, self.ray, self.gpu))


def board(
    plan: Plan | None, nodes: Sequence[str], news: Iterable[News], *, done: bool = False
) -> tuple[JoinLine, ...]:
    """A line per node of the cluster that takes part, from what was told so far; `done`: all are ready."""
    ray = any("ray" in step.argv for step in plan.steps) if plan else False
    taking = plan.nodes() if plan else ()
    fresh = [n for n in nodes if n in taking]
    rest = {} if ray else {"ray": "no", "gpu": "no"}
    lines = {n: JoinLine(n, "head" if n == nodes[0] else "worker", **rest) for n in fresh}
    for item in news:
        _hear(lines, item, ray=ray)
    if done:
        return tuple(_ready(line, ray=ray) for line in lines.values())
    return tuple(lines.values())


def _ready(line: JoinLine, *, ray: bool) -> JoinLine:
    return replace(line, container="yes", why="", **({"ray": "yes", "gpu": "yes"} if ray else {}))


def _hear(lines: dict[str, JoinLine], news: News, *, ray: bool) -> None:
    if isinstance(news, StepBegan) and news.node in lines:
        line = lines[news.node]
        if not line.container:
            lines[news.node] = replace(line, container="on", why=news.sentence)
        elif line.container == "on":
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
            return replace(line, container="on", why=why or "is it running?")
        case NodeStage.UP:
            return replace(line, container="yes", why=why, **({"ray": "on"} if ray else {}))
        case NodeStage.JOINED:
            gpu = "on" if why else "yes"
            return replace(line, container="yes", why=why, **({"ray": "yes", "gpu": gpu} if ray else {}))
        case NodeStage.FAILED | NodeStage.LOST:
            return _failed(line, why or reach.value)
        case NodeStage.REMOVED:
            text = f"{line.why}; taken back" if line.why else "taken back"
            undone = {"container": ""} if line.container != "bad" else {}
            return replace(line, why=text, **undone)
    return line


def _failed(line: JoinLine, why: str) -> JoinLine:
    """It failed at the stage it had not passed yet."""
    if line.container == "yes" and line.ray == "on":
        return replace(line, ray="bad", why=why)
    return replace(line, container="bad", why=why)


def board_rows(lines: Sequence[JoinLine]) -> list[TableRow]:
    """Wrong ones first, in a table."""
    return [_row(line) for line in sorted(lines, key=lambda line: line.stands)]


def _row(line: JoinLine) -> TableRow:
    why = Text(plain(line.why), "$node-lost" if line.stands == 0 else "$muted")
    stages = [_stage(name, getattr(line, name)) for name in ("container", "ray", "gpu")]
    return TableRow(line.node, (plain(line.node), line.part, *stages, why))


def _stage(name: str, state: str) -> Text:
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
