"""The served model: what it is, how far its start is, what it does; as long as it can be known."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from sparkconsole.fleet.store import ServerPhase, ServerState
from sparkconsole.model.text.units import UNKNOWN, age, hms, percent, token_rate
from sparkconsole.tui.draw.bars import bar_text, work_bar
from sparkconsole.tui.draw.charts import area, spark_text
from sparkconsole.tui.draw.frame import fitting, folded, joined, plain, styled

Series = Sequence[float | None]
SIGNS = {
    ServerPhase.NONE: ("○", "$node-none"),
    ServerPhase.LOADING: ("▶", "$node-warn"),
    ServerPhase.READY: ("●", "$node-up"),
    ServerPhase.WEDGED: ("✖", "$node-lost"),
    ServerPhase.FAILED: ("✖", "$node-lost"),
    ServerPhase.UNKNOWN: ("–", "$muted"),
}
OLD_S = 6.0
"""Three periods of /metrics."""
LEAST_NAME = 16
STAGES = ("container", "engine", "weights", "compile", "KV cache", "graphs", "server")


def serve_title(server: ServerState, now_s: float) -> Text:
    """`● ready 00:41:12`; what is old says how old."""
    glyph, style = SIGNS[server.phase]
    since = "" if server.since_s is None else hms(max(0.0, now_s - server.since_s))
    timed = server.phase in (ServerPhase.READY, ServerPhase.LOADING)
    seen_s = 0.0 if server.seen_at_s is None else now_s - server.seen_at_s
    old = server.phase is ServerPhase.READY and seen_s > OLD_S
    parts = (
        Text(f"{glyph} {server.phase.value}", style),
        Text(since if timed else "", "$muted"),
        Text(f"seen {age(seen_s)} ago" if old else "", "$node-warn"),
    )
    return joined(parts, " ")


def serve_lines(
    server: ServerState, generated: Series, prompted: Series, width: int, height: int, *, hint: str = ""
) -> list[Text]:
    """`height` lines at most; with room to spare there are charts of the tokens a second.

    `hint`: what can be done when nothing is served, or why it is not known whether something is.
    """
    match server.phase:
        case ServerPhase.NONE:
            lines = _nothing(server.detail, hint, width, height)
        case ServerPhase.UNKNOWN:
            lines = _unknown(server, hint, width)
        case ServerPhase.LOADING:
            lines = [_what(server, width), *_loading(server, width)]
        case ServerPhase.READY:
            lines = _ready(server, generated, prompted, width, height)
        case _:
            causes = folded(server.detail or "see its log: l", width, max(1, height - 1))
            lines = [_what(server, width), *(Text(line, "$node-lost") for line in causes)]
    lines = lines[: max(height, 0)]
    for line in lines:
        line.truncate(max(width, 0), overflow="ellipsis")
    return lines


def _ready(server: ServerState, generated: Series, prompted: Series, width: int, height: int) -> list[Text]:
    if height == 1:
        gen = Text(f"gen {token_rate(server.generated_per_s)}")
        return [_what(server, width, (gen, *_counts(server), _kv(server)))]
    if height < 5:
        return [_what(server, width), _rates(server, generated, prompted, width)]
    first = _what(server, width, _where(server) if height >= 10 else None)
    return [first, *_charts(server, generated, prompted, width, height - 1)]


def _nothing(why: str, hint: str, width: int, height: int) -> list[Text]:
    """`why`: what ended the last one, where somebody did."""
    first = folded(f"nothing is served: {why}" if why else "nothing is served", width, 2)
    rest = folded(hint, width, min(2, max(height - len(first), 1)))
    return [*map(Text, first), *(Text(x, "$muted") for x in rest)]


def _unknown(server: ServerState, hint: str, width: int) -> list[Text]:
    last = joined((Text("last known:", "$muted"), styled(server.model, "$muted"))) if server.model else Text()
    lines = folded(server.detail or hint or "not asked yet …", width, 2)
    return [x for x in (*(Text(t, "$muted") for t in lines), last) if x]


def _what(server: ServerState, width: int, rest: Sequence[Text] | None = None) -> Text:
    """The model gives way to what it does, and its owner goes first."""
    parts = [p for p in (_where(server) + _counts(server) if rest is None else rest) if p]
    name = plain(server.model) or "a model"
    while parts and width - joined(parts).cell_len - 2 < LEAST_NAME:
        parts.pop()
    room = width - joined(parts).cell_len - 2
    if cell_len(name) > room:
        name = name.rpartition("/")[2] or name
    shown = Text(name, "bold $title")
    shown.truncate(max(room, 1), overflow="ellipsis")
    return joined((shown, *parts))


def _where(server: ServerState) -> list[Text]:
    return [Text(f"tp {server.ranks}" if server.ranks else ""), Text(f":{server.port}")]


def _counts(server: ServerState) -> list[Text]:
    load = server.load
    if load is None:
        return []
    running = Text(f"running {load.running}" if load.running is not None else "")
    style = "$node-warn" if load.waiting else ""
    return [running, Text(f"waiting {load.waiting}" if load.waiting is not None else "", style)]


def _loading(server: ServerState, width: int) -> list[Text]:
    share = server.percent / 100 if server.percent is not None else None
    stage = styled(server.stage or "starting", "$node-warn")
    bar = work_bar(share, min(30, max(8, width // 3))) if share is not None else Text()
    number = Text(percent(share)) if share is not None else Text()
    first = fitting((stage, bar, number, styled(server.detail, "$muted")), width)
    return [first, _stages(server, width)]


def _stages(server: ServerState, width: int) -> Text:
    """`✔ container  ✔ engine  ▶ weights  ○ compile …`"""
    if server.stage not in STAGES:
        return Text()
    at = STAGES.index(server.stage)
    marks = [("✔", "$node-up")] * at + [("▶", "$node-warn")] + [("○", "$muted")] * (len(STAGES) - at - 1)
    parts = [Text(f"{mark} {name}", style) for (mark, style), name in zip(marks, STAGES, strict=True)]
    return fitting(parts if joined(parts).cell_len <= width else parts[max(0, at - 1) :], width)


def _kv(server: ServerState) -> Text:
    share = server.load.kv_share if server.load else None
    text = f"kv {share:.0%}" if share is not None else f"kv {UNKNOWN}"
    return Text(text, "$node-warn" if (share or 0) > 0.95 else "")


def _rates(server: ServerState, generated: Series, prompted: Series, width: int) -> Text:
    """`gen 41.2 tok/s ▁▂▃▅▆  prompt 812 tok/s ▁▁▂▇  kv 37%`"""
    gen = Text(f"gen {token_rate(server.generated_per_s)}")
    prompt = Text(f"prompt {token_rate(server.prompt_per_s)}")
    kv = _kv(server)
    room = (width - gen.cell_len - prompt.cell_len - kv.cell_len - 6) // 2
    if room >= 5:
        room = min(room, 40)
        gen = joined((gen, spark_text(generated, room)), " ")
        prompt = joined((prompt, spark_text(prompted, room)), " ")
    return fitting((gen, prompt, kv), width)


def _charts(server: ServerState, generated: Series, prompted: Series, width: int, height: int) -> list[Text]:
    """The KV cache as a bar, and the tokens as one chart or two."""
    share = server.load.kv_share if server.load else None
    kv = joined((Text("kv cache", "$muted"), bar_text(share, min(24, width // 3)), Text(percent(share))), " ")
    if height < 9:
        prompt = Text(f"prompt {token_rate(server.prompt_per_s)}")
        return [
            fitting((_headed("generated", server.generated_per_s, width), prompt, _kv(server)), width),
            *area(generated, width, height - 1, style="$chart-1"),
        ]
    each, line = (height - 3) // 2, joined((*_counts(server), kv))
    return [
        line if line.cell_len <= width else fitting((*_counts(server), _kv(server)), width),
        _headed("generated", server.generated_per_s, width),
        *area(generated, width, height - 3 - each, style="$chart-1"),
        _headed("prompt", server.prompt_per_s, width),
        *area(prompted, width, each, style="$chart-2"),
    ]


def _headed(what: str, per_s: float | None, width: int) -> Text:
    return fitting((Text(what, "$muted"), Text(token_rate(per_s), "bold")), width, " ")
