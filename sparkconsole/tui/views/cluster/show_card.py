"""A node as a card: what matters most first, as many lines as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.telemetry import LinkTraffic
from sparkconsole.model.text.units import UNKNOWN, age, binary_size, gib, gigabyte_rate, percent, used_of
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.bars import bar_text, fitted
from sparkconsole.tui.draw.charts import area, spark_text
from sparkconsole.tui.draw.frame import fitting, folded, framed, joined, joined_cells, plain, styled
from sparkconsole.tui.draw.node_state import DrawContext

LABEL = 5
SPARK_LEAST = 8
Line = Callable[[NodeState, DrawContext, int], Text]


def card(
    state: NodeState,
    context: DrawContext,
    width: int,
    height: int,
    *,
    cursor: bool = False,
    marked: bool = False,
) -> list[Text]:
    """The whole card, frame included: `height` lines of `width` cells."""
    inside = card_lines(state, context, width - 4, height - 2)
    title, right = _title(state, context, marked), _right(state, context)
    return framed(inside, width, height, title=title, right=right, heavy=cursor)


def _title(state: NodeState, context: DrawContext, marked: bool) -> Text:
    sign = of.sign(state, context)
    role = of.role(state, context)
    mark = Text("◆", "$mark") if marked else Text()
    part = Text(role, "bold $head-mark" if role == "HEAD" else "$muted")
    return joined((mark, Text(sign.glyph, sign.style), styled(state.name, "bold $title"), part), " ")


def _right(state: NodeState, context: DrawContext) -> Text:
    """The age of what is shown once it is old, else how long the machine has been up."""
    if state.reach is Reachability.LOST:
        return Text(f"lost {age(of.since_s(state, context))}", "$node-lost")
    if state.reach is Reachability.CONNECTING:
        return Text("connecting", "$muted")
    if of.is_stale(state, context):
        return Text(f"{age(of.age_s(state, context))} old", "$node-warn")
    up = of.now(state).uptime_s
    return Text(f"up {age(up)}" if up is not None else "", "$muted")


def card_lines(state: NodeState, context: DrawContext, width: int, height: int) -> list[Text]:
    """What stands in it. A lost node says why, and keeps its last values, dimmed."""
    if state.reach is Reachability.LOST:
        drawn = lost_lines(state, context, width, height)
        if state.reading and height - len(drawn) > 2:
            drawn.append(Text(f"last seen {age(of.age_s(state, context))} ago:", "$muted"))
        values = _values(state, context, width, height - len(drawn)) if state.reading else []
        return [*drawn, *map(_dimmed, values)][:height]
    if state.reading is None:
        return of.waiting_lines(state, context)[:height]
    lines = _values(state, context, width, height)
    return [_dimmed(x) for x in lines] if of.is_stale(state, context) else lines


def lost_lines(state: NodeState, context: DrawContext, width: int, height: int) -> list[Text]:
    """Why it is lost, when it is tried again, what to do: in full where there is room for values too."""
    if state.fingerprint:
        return list(of.lost_lines(state, context))
    most = 2 if height >= 6 else 1
    text, style = (state.own_action, "$node-warn") if state.own_action else (state.reason, "$node-lost")
    why = [Text(x, style) for x in folded(text or "it does not answer", width, most)]
    again = Text(of.again_word(state, context), "$muted")
    advice = "" if state.own_action else state.hint
    if height < 6:
        return [*why, fitting([t for t in (again, styled(advice, "$node-warn")) if t] or [""], width)]
    hint = [Text(x, "$node-warn") for x in folded(advice, width, most)] if advice else []
    return [*why, *hint, *([again] if again else [])]


def _dimmed(line: Text) -> Text:
    return Text(line.plain, "$muted dim", no_wrap=True, end="")


def _values(state: NodeState, context: DrawContext, width: int, height: int) -> list[Text]:
    if height <= 0:
        return []
    if height <= 2:
        return [compact_load(state, context, width), compact_links(state, context, width)][:height]
    wrong = bool(_wrong_here(state, context))
    lines = [row(state, context, width) for row in chosen_rows(height, wrong=wrong)]
    lines += rail_rows(state, context, width)[: height - len(lines)]
    return [*lines, *charts(state, context, width, height - len(lines))]


def charts(state: NodeState, context: DrawContext, width: int, height: int) -> list[Text]:
    """The last minutes of the GPU, and of the rails where there is room for both."""
    gpu, rails = of.series(state, context, "gpu"), of.series(state, context, "rdma_rx")
    if not gpu or height < 4:
        return []
    both = height >= 9 and any(v is not None for v in rails)
    first = height // 2 - 1 if both else height - 1
    lines = [Text("gpu, 5 min", "$muted"), *area(gpu, width, first, high=100.0, unit="%", style="$chart-1")]
    if both:
        below = area(rails, width, height - first - 2, style="$chart-2")
        lines += [Text("rdma in, 5 min, B/s", "$muted"), *below]
    return lines


def chosen_rows(height: int, *, wrong: bool = False) -> Sequence[Line]:
    """Which lines a card of so many lines has, in their order; what is wrong has one of its own."""
    if height == 3:
        return (gpu_row, memory_row, compact_links)
    last = [nccl_row, container_row, host_row]
    first = [gpu_row, memory_row, ethernet_row, rdma_row, ray_row, warn_row, *last]
    order = [gpu_row, memory_row, rdma_row, *([warn_row] if wrong else []), ray_row, ethernet_row, *last]
    kept = set(order[:height])
    return tuple(row for row in first if row in kept)


# --- lines


def bar_width(width: int) -> int:
    """Bars of one card are as wide as each other."""
    return min(18, max(6, width - LABEL - 19)) if width < 46 else min(18, max(12, width // 4))


def gpu_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`gpu  ▕█████████▉   ▏  71 %  48 W  71 °C  ▂▃▅▆`"""
    gpu = of.gpu(state)
    if gpu is None:
        last = of.now(state)
        word = "none" if last.gpu_known else "unknown"
        return _labelled("gpu", styled(f"{word}: {last.gpu_error}" if last.gpu_error else word, "$muted"))
    share, power = of.share(state), of.number("{:.0f} W", gpu.power_w)
    heat = of.temperature(state)
    values = joined((percent(share), _hot(heat), power), " " if width < 46 else "  ")
    line = _labelled("gpu", bar_text(share, bar_width(width)), Text(" "), values)
    return _with_spark(line, context, state, "gpu", width)


def _hot(heat: float | None) -> Text:
    return Text() if heat is None else Text(f"{heat:.0f} °C", "$node-warn" if heat >= of.HOT_C else "")


def memory_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`mem  ▕██████████▋  ▏  98.4/119.7 GiB  ▇▇▇▇`"""
    memory = of.now(state).memory
    if memory is None:
        return _labelled("mem", Text(UNKNOWN, "$muted"))
    share = memory.used / memory.total if memory.total else None
    bar = bar_text(share, bar_width(width), warm=0.9, hot=0.96)
    line = _labelled("mem", bar, Text("  "), Text(used_of(memory.used, memory.total)))
    return _with_spark(line, context, state, "memory", width)


def _with_spark(line: Text, context: DrawContext, state: NodeState, measure: str, width: int) -> Text:
    """The newest readings to the right of the values, where all cards have them."""
    begin = LABEL + bar_width(width) + 1 + 22
    room = width - begin
    if room < SPARK_LEAST:
        return line
    line.append(" " * max(1, begin - line.cell_len))
    high = 100.0 if measure in ("gpu", "memory", "cpu") else None
    return line.append_text(spark_text(of.series(state, context, measure, room), room, high=high))


def ethernet_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`eth  enp1s0f1np1  192.168.177.11  mtu 9000`"""
    chosen = of.network(state, context)
    if chosen is None:
        return _labelled("eth", _without_network(state, context))
    _, up = of.ethernet(state, context)
    down = Text("down", "$node-lost") if up is False else Text()
    mtu = Text(f"mtu {chosen.mtu}" if chosen.mtu else "", "$muted")
    parts = (styled(chosen.eth_if), down, styled(chosen.address), mtu)
    return _labelled("eth", fitting(parts, width - LABEL))


def _without_network(state: NodeState, context: DrawContext) -> Text:
    if state.look is None:
        return styled(f"{state.address or UNKNOWN}  (links not read yet)", "$muted")
    if context.alone:
        return joined((styled(state.address), Text("single node: needs no link", "$muted")))
    why = context.networks.get(state.name)
    return styled(getattr(why, "cause", "") or "no link is known", "$node-warn")


def rdma_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`rdma 2/2 up       11.8 / 11.7 GB/s`"""
    links = of.links(state, context)
    if links == UNKNOWN:
        return _labelled("rdma", Text("none in use" if context.alone else UNKNOWN, "$muted"))
    up, _, every = links.partition("/")
    style = "$node-up" if up == every else "$node-warn" if up != "0" else "$node-lost"
    received, sent = of.rates(state, context)
    text = f"{gigabyte_rate(received)} / {gigabyte_rate(sent)} GB/s"
    line = _labelled("rdma", fitting((Text(f"{links} up", style), Text(text)), width - LABEL, "   "))
    return _with_spark(line, context, state, "rdma_rx", width)


def rail_rows(state: NodeState, context: DrawContext, width: int) -> list[Text]:
    """`  rocep1s0f1    up   5.9/ 5.8 GB/s`, one a rail."""
    flows = [(plain(name), flow) for name, flow in of.rails(state, context)]
    broad = max((Text(name).cell_len for name, _ in flows), default=0)
    return [_rail(name, flow, broad, width) for name, flow in flows]


def _rail(name: str, flow: LinkTraffic, broad: int, width: int) -> Text:
    rates = f"{gigabyte_rate(flow.rx_per_s):>4}/{gigabyte_rate(flow.tx_per_s):>4} GB/s"
    shown = Text("" if flow.up is False else rates)
    parts = (Text(fitted(name, broad)), of.link_word(flow.up), shown, *of.flow_marks(flow))
    indent = "     " if width >= 46 else "  "
    return Text(indent).append_text(fitting(parts, width - len(indent), " "))


def ray_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`ray  alive  img 9f3c1a 6 d  ▶ vllm_node 41m`"""
    image = of.image_word(state, context)
    style = "$node-warn" if image == "none" else ""
    shown = joined((Text("img", "$muted"), Text(image, style)), " ")
    box = of.container_word(state, context)
    return _labelled("ray", fitting((of.ray_word(state), shown, box), width - LABEL))


def nccl_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`nccl NET/IB ×2  no warning`: its transport, and what is wrong with NCCL, nothing else."""
    wrong = [t for t in of.troubles(state, context) if "NCCL" in t]
    used, slow = state.via, state.via.startswith("NET/Socket")
    transport = styled(used or UNKNOWN, "$node-warn" if slow else "" if used else "$muted")
    last = styled(f"! {wrong[0]}", "$node-warn") if wrong else Text("no warning", "$muted")
    both = joined((transport, last))
    return _labelled("nccl", both if both.cell_len <= width - LABEL or not wrong else last)


def warn_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`warn ! the worst of what is wrong, and how much more there is`."""
    wrong = _wrong_here(state, context)
    more = f" +{len(wrong) - 1}" if len(wrong) > 1 else ""
    line = styled(f"! {wrong[0]}" if wrong else "", "$node-warn")
    line.truncate(max(width - LABEL - len(more), 1), overflow="ellipsis")
    return _labelled("warn", line, Text(more, "$muted"))


def _wrong_here(state: NodeState, context: DrawContext) -> list[str]:
    return [t for t in of.troubles(state, context) if "NCCL" not in t]


def container_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`cntr ▶ vllm_node 41m  image vllm-node`"""
    box, held = of.own_container(state, context.container), of.now(state).gpu_used
    image = styled(box.image, "$muted") if box else Text()
    used = Text(f"gpu holds {gib(held)} GiB" if held else "", "$muted")
    return _labelled("cntr", fitting((of.container_word(state, context), used, image), width - LABEL))


def host_row(state: NodeState, context: DrawContext, width: int) -> Text:
    """`host cpu 12 %  load 6.1  disk 612.0 GiB free`"""
    now = of.now(state)
    parts = (
        of.number("cpu {:.0f} %", now.cpu),
        of.number("load {:.1f}", now.load),
        f"disk {binary_size(now.disk_free)} free" if now.disk_free is not None else "",
        of.number("waits {:.1f} %", now.pressure or None),
        f"cache {gib(now.cached)} GiB" if now.cached is not None else "",
    )
    return _labelled("host", fitting([p for p in parts if p] or [UNKNOWN], width - LABEL))


def compact_load(state: NodeState, context: DrawContext, width: int) -> Text:
    """`gpu  71 % ▅▆▇▇▆▅▆▇   mem 98.4/119.7`"""
    memory, share = of.now(state).memory, of.share(state)
    held = f"{gib(memory.used)}/{gib(memory.total)}" if memory else UNKNOWN
    room = min(24, width - 11 - 6 - len(held))
    line = joined((Text("gpu", "$muted"), Text(percent(share))), " ")
    if room >= 4 and (series := of.series(state, context, "gpu", room)):
        line = joined((line, spark_text(series, room, high=100.0)), " ")
    heat = of.temperature(state)
    parts = (line, joined((Text("mem", "$muted"), Text(held)), " "), _hot(heat))
    return fitting(parts, width)


def compact_links(state: NodeState, context: DrawContext, width: int) -> Text:
    """`rdma 2/2  eth up  ray alive  9f3c1a`, or first of all what is wrong."""
    wrong = of.troubles(state, context)
    name, up = of.ethernet(state, context)
    parts = (
        joined((Text("rdma", "$muted"), Text(of.links(state, context))), " "),
        joined((Text("eth", "$muted"), link_text(name, up)), " "),
        joined((Text("ray", "$muted"), of.ray_word(state)), " "),
        Text(of.image_word(state, context).partition(" ")[0]),
    )
    return styled(f"! {wrong[0]}", "$node-warn") if wrong else fitting(parts, width)


def link_text(name: str, up: bool | None) -> Text:
    """`up`, `down`, `–`."""
    if not name or up is None:
        return Text(UNKNOWN, "$muted")
    return Text("up", "") if up else Text("down", "$node-lost")


def _labelled(label: str, *parts: Text) -> Text:
    return joined_cells((Text(label.ljust(LABEL), "$muted"), *parts))
