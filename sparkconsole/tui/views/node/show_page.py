"""Everything of one node as panels in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.text import Text

from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.text.units import age, byte_rate, gib
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.charts import area
from sparkconsole.tui.draw.frame import beside, folded, framed, plain, styled
from sparkconsole.tui.draw.node_state import DrawContext
from sparkconsole.tui.views.node import show_parts as parts

NARROW, WIDE = 76, 140


@dataclass(frozen=True, slots=True)
class NodePanel:
    """A frame with a title and lines that are made for its room."""

    title: str
    lines: Callable[[int, int], Sequence[Text]]
    """For a width and a height, without the frame."""
    height: int
    """With the frame."""
    right: str = ""


def page(state: NodeState, context: DrawContext, width: int, height: int) -> list[Text]:
    """All of it; longer than `height` where there is less room, never shorter."""
    rows = [*_banner(state, context, width), *_rows(state, context, width)]
    spare = height - sum(max(p.height for p in row) for row in rows)
    return [line for row in _stretched(rows, spare) for line in _row(row, width)]


def _rows(state: NodeState, context: DrawContext, width: int) -> list[list[NodePanel]]:
    node, links = _node(state, context), _links(state, context)
    held, boxes = _processes(state), _cut("containers", parts.container_lines(state, context), 4, 9)
    versions = NodePanel("versions and images", lambda w, h: parts.version_lines(state, context, w), 6)
    charts, nccl = _charts(state, context), _nccl(state)
    found = [styled(f"! {t}", "$node-warn") for t in of.troubles(state, context)]
    wrong = [_cut("problems", found, 3, 6)] if found else []
    if width >= WIDE:
        return [[node, links, held], charts, [nccl, boxes], [versions, *wrong]]
    if width >= NARROW:
        first, second = charts[:2], charts[2:]
        return [[node, links], first, *([wrong] if wrong else []), [nccl], second, [held, boxes], [versions]]
    every = [node, *wrong, links, *charts, nccl, held, boxes, versions]
    return [[panel] for panel in every]


def _stretched(rows: Sequence[Sequence[NodePanel]], spare: int) -> list[list[NodePanel]]:
    """What is left over goes to the charts, which are better the higher they are, and to NCCL's lines."""
    growing = [i for i, row in enumerate(rows) if row[0].title in ("gpu", "rdma in", "nccl")]
    made = [list(row) for row in rows]
    for place, i in enumerate(growing):
        more = spare // len(growing) + (place < spare % len(growing)) if spare > 0 else 0
        height = max(panel.height for panel in rows[i]) + more
        made[i] = [replace(panel, height=height) for panel in rows[i]]
    return made


def _row(panels: Sequence[NodePanel], width: int) -> list[Text]:
    height = max(p.height for p in panels)
    each, rest = divmod(width, len(panels))
    widths = [each + (i < rest) for i in range(len(panels))]
    drawn = [
        framed(list(p.lines(w - 4, height - 2)), w, height, title=p.title, right=Text(p.right, "$muted"))
        for p, w in zip(panels, widths, strict=True)
    ]
    return beside(drawn, widths)


def _banner(state: NodeState, context: DrawContext, width: int) -> list[list[NodePanel]]:
    """A node that is lost says so first, and why."""
    if state.reach is Reachability.UP and state.reading is not None:
        return []
    if state.reach is Reachability.LOST:
        whole = of.lost_lines(state, context)  # each sentence: here is the room for it
        lines = [Text(t, str(line.style)) for line in whole for t in folded(line.plain, width - 4, 3)]
        old = f" · what follows is from {age(of.age_s(state, context))} ago" if state.reading else ""
        title = f"✖ lost{old}"
        return [[NodePanel(title, lambda w, h: lines, len(lines) + 2)]]
    lines = of.waiting_lines(state, context)
    title = "○ connecting" if state.reach is Reachability.CONNECTING else "○ no reading yet"
    return [[NodePanel(title, lambda w, h: lines, 4)]]


def _node(state: NodeState, context: DrawContext) -> NodePanel:
    sign = of.sign(state, context)
    lines = parts.overview(state, context)
    title = f"{sign.glyph} {state.name} · {of.role(state, context)}"
    stale = f"{age(of.age_s(state, context))} old" if of.is_stale(state, context) else ""
    return NodePanel(title, lambda w, h: lines, 11, right=stale)


def _links(state: NodeState, context: DrawContext) -> NodePanel:
    tried = context.tried.get(state.name, "")
    title = "fabric · GB/s" if tried else "fabric · GB/s in / out"
    return NodePanel(title, lambda w, h: parts.fabric_lines(state, context, w), 11, tried)


def _processes(state: NodeState) -> NodePanel:
    total = of.now(state).gpu_used
    right = f"{gib(total)} GiB" if total else ""
    lines = parts.process_lines(state)
    height = min(11, max(4, len(lines) + 2))
    return NodePanel("gpu memory by process", lambda w, h: lines, height, right=right)


def _cut(title: str, lines: Sequence[Text], least: int, most: int) -> NodePanel:
    """As high as its lines, within limits; what does not fit is counted."""

    def shown(width: int, height: int) -> list[Text]:
        if len(lines) <= height:
            return list(lines)
        return [*lines[: height - 1], Text(f"and {len(lines) - height + 1} more", "$muted")]

    return NodePanel(title, shown, min(most, max(least, len(lines) + 2)))


def _nccl(state: NodeState) -> NodePanel:
    none = Text("no NCCL log lines yet; launch --nccl-debug turns them on", "$muted")
    lines = [styled(line) for line in state.nccl_lines] or [none]
    return NodePanel("nccl", lambda w, h: lines[-h:], 6, right=plain(state.nccl))


def _charts(state: NodeState, context: DrawContext) -> list[NodePanel]:
    memory = of.now(state).memory

    def chart(title: str, series: str, right: str, colour: int, high: float | None, unit: str) -> NodePanel:
        values = of.series(state, context, series)
        style = f"$chart-{colour}"
        draw = lambda w, h: area(values, w, h, high=high, unit=unit, style=style)  # noqa: E731
        return NodePanel(title, draw, 5, right=right)

    gpu = of.gpu(state)
    used = f"{gib(memory.used)}/{gib(memory.total)} GiB" if memory else ""
    busy = of.number("{:.0f} %", gpu.utilisation if gpu else None)
    power = of.number("{:.0f} W", gpu.power_w if gpu else None)
    flow = byte_rate(of.rates(state, context)[0]) if state.reading else ""
    return [
        chart("gpu", "gpu", busy, 1, 100.0, "%"),
        chart("memory", "memory", used, 2, 100.0, "%"),
        chart("rdma in", "rdma_rx", flow, 3, None, ""),
        chart("power", "power", power, 4, None, "W"),
    ]
