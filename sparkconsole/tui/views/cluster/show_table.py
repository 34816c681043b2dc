"""Nodes as rows: the columns that there is room for, and the orders they can be put in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.text.units import UNKNOWN, age, gib, gigabyte_rate, percent
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.charts import spark_text
from sparkconsole.tui.draw.frame import filled, joined_cells, styled
from sparkconsole.tui.draw.node_state import DrawContext
from sparkconsole.tui.views.cluster.show_card import link_text

NAME_MOST, NAME_LEAST = 20, 8
HISTORY = 8
"""Cells of the last readings."""
LEAD = 4
"""Cursor, mark, sign and a blank."""
Cell = Callable[[NodeState, DrawContext], Text]
Order = Callable[[NodeState, DrawContext], object]


@dataclass(frozen=True, slots=True)
class NodeColumn:
    """One column. The higher `need`, the earlier it goes when there is no room; 0 stays."""

    name: str
    width: int
    cell: Cell
    need: int = 0
    order: Order | None = None
    """What it sorts by, largest first, unknown last; None: it cannot."""
    align: str = "left"


def _role(state: NodeState, context: DrawContext) -> Text:
    role = of.role(state, context)
    return Text(role, "$head-mark" if role == "HEAD" else "$muted")


def _history(state: NodeState, context: DrawContext) -> Text:
    return spark_text(of.series(state, context, "gpu", HISTORY), HISTORY, high=100.0)


def _memory(state: NodeState, context: DrawContext) -> Text:
    memory = of.now(state).memory
    return Text(f"{gib(memory.used, 0):>3}/{gib(memory.total, 0)}" if memory else UNKNOWN)


def _links(state: NodeState, context: DrawContext) -> Text:
    links = of.links(state, context)
    up, _, every = links.partition("/")
    return Text(links, "" if up == every or not every else "$node-warn" if up != "0" else "$node-lost")


def _rates(state: NodeState, context: DrawContext) -> Text:
    received, sent = of.rates(state, context)
    return Text(f"{gigabyte_rate(received):>4}/{gigabyte_rate(sent)}")


def _image(state: NodeState, context: DrawContext) -> Text:
    found = of.image_word(state, context).partition(" ")[0]
    return Text(found, "$node-warn" if found == "none" else "")


def _held(state: NodeState, context: DrawContext) -> Text:
    held = of.now(state).gpu_used
    return Text(gib(held)) if held else Text(UNKNOWN, "$muted")


def _seen(state: NodeState, context: DrawContext) -> Text:
    if state.reach is Reachability.LOST:
        return Text(age(of.since_s(state, context)), "$node-lost")
    if state.reach is Reachability.CONNECTING:
        return Text("…", "$muted")
    stale = of.is_stale(state, context)
    return Text(age(of.age_s(state, context)), "$node-warn") if stale else Text("now", "$muted")


def _heat(state: NodeState, context: DrawContext) -> Text:
    heat = of.temperature(state)
    return Text(UNKNOWN if heat is None else f"{heat:.0f}", "$node-warn" if (heat or 0) >= of.HOT_C else "")


def _power(state: NodeState) -> float | None:
    gpu = of.gpu(state)
    return gpu.power_w if gpu else None


def _number(name: str, width: int, need: int, value: Callable[[NodeState], float | None]) -> NodeColumn:
    """Whole numbers."""
    cell: Cell = lambda s, c: Text(of.number("{:.0f}", value(s)) or UNKNOWN)  # noqa: E731
    return NodeColumn(name, width, cell, need, lambda s, c: value(s), align="right")


COLUMNS = (
    NodeColumn("ROLE", 6, _role, order=lambda s, c: s.head),
    NodeColumn("GPU%", 5, lambda s, c: Text(percent(of.share(s))), 0, lambda s, c: of.share(s), "right"),
    NodeColumn("GPU", HISTORY, _history, need=4),
    NodeColumn("MEM GiB", 7, _memory, order=lambda s, c: m.used if (m := of.now(s).memory) else None),
    NodeColumn("°C", 3, _heat, need=6, order=lambda s, c: of.temperature(s), align="right"),
    _number("W", 4, 8, _power),
    _number("CPU%", 4, 9, lambda s: of.now(s).cpu),
    NodeColumn("RDMA", 4, _links, order=lambda s, c: [f.up is False for _, f in of.rails(s, c)].count(True)),
    NodeColumn("GB/s", 9, _rates, need=7, order=lambda s, c: sum(x or 0.0 for x in of.rates(s, c))),
    NodeColumn("ETH", 4, lambda s, c: link_text(*of.ethernet(s, c)), need=1),
    NodeColumn(
        "ADDRESS", 15, lambda s, c: styled(n.address if (n := of.network(s, c)) else s.address), need=11
    ),
    NodeColumn("RAY", 5, lambda s, c: of.ray_word(s), order=lambda s, c: s.in_ray is False),
    NodeColumn("IMAGE", 6, _image, need=2, order=of.image_word),
    NodeColumn("CONTAINER", 16, of.container_word, need=12),
    NodeColumn("NCCL", 10, lambda s, c: styled(s.via or UNKNOWN), need=10, order=lambda s, c: s.via),
    NodeColumn("HOLDS", 5, _held, need=3, order=lambda s, c: of.now(s).gpu_used, align="right"),
    NodeColumn("SEEN", 4, _seen, order=lambda s, c: of.age_s(s, c) or 0.0),
)
"""HOLDS is what processes hold of the memory for the GPU, in GiB: who serves."""


@dataclass(frozen=True, slots=True)
class NodeColumns:
    """The columns of one width."""

    columns: tuple[NodeColumn, ...]
    name_width: int
    gap: int = 2

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(c.name for c in self.columns)


def columns_for(width: int, names: Sequence[str]) -> NodeColumns:
    """As many columns as fit; those that are dropped go in the order of their need, the highest first."""
    longest = max((Text(n).cell_len for n in names), default=NAME_LEAST)
    wanted = min(max(longest, NAME_LEAST), NAME_MOST)
    for limit in range(max(c.need for c in COLUMNS), -1, -1):
        kept = tuple(c for c in COLUMNS if c.need <= limit)
        for gap in (2, 1):
            if (spare := width - LEAD - sum(c.width + gap for c in kept)) >= wanted or limit + gap == 1:
                return NodeColumns(kept, max(1, min(wanted, spare)), gap)
    return NodeColumns((), max(1, width - LEAD))


def header(plan: NodeColumns, sort: str = "") -> Text:
    """The names of the columns; the one it is sorted by has a `▾`."""
    cells = [filled(Text(_sorted("NODE", sort == "name")), plan.name_width)]
    cells += [filled(Text(_sorted(c.name, sort == c.name)), c.width, c.align) for c in plan.columns]
    line = Text(" " * LEAD).append_text(joined_cells(cells, plan.gap))
    return Text(line.plain, "bold $muted", no_wrap=True, end="")


def _sorted(name: str, here: bool) -> str:
    return f"{name}▾" if here else name


def row(
    state: NodeState,
    context: DrawContext,
    plan: NodeColumns,
    label: str,
    *,
    cursor: bool = False,
    marked: bool = False,
) -> Text:
    """`▸● spark-01  HEAD  71 % …`; a lost node's last values are dimmed."""
    sign = of.sign(state, context)
    old = state.reach is Reachability.LOST or of.is_stale(state, context)
    cells = [filled(styled(label, "bold" if state.head else ""), plan.name_width)]
    for column in plan.columns:
        cell = filled(column.cell(state, context), column.width, column.align)
        cells.append(Text(cell.plain, "$muted dim") if old and column.name != "SEEN" else cell)
    line = Text("▸" if cursor else " ", "$frame-focus", no_wrap=True, end="")
    line.append("◆" if marked else " ", "$mark").append(sign.glyph, sign.style).append(" ")
    line.append_text(joined_cells(cells, plan.gap))
    if cursor:
        line.stylize("on $row-cursor")
    return line


def ordered(states: Sequence[NodeState], context: DrawContext, sort: str) -> tuple[NodeState, ...]:
    """Largest first; equal ones stay as the cluster lists them."""
    if sort == "name":
        return tuple(sorted(states, key=lambda s: s.name))
    column = next((c for c in COLUMNS if c.name == sort and c.order), None)
    if column is None or column.order is None:
        return tuple(states)
    values = {s.name: column.order(s, context) for s in states}
    largest = sorted(states, key=lambda s: -1 if values[s.name] is None else values[s.name], reverse=True)  # type: ignore[arg-type,return-value]
    return tuple(largest)
