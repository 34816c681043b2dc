"""The served model: what it is, how far its start is, what it does; as long as it can be known."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from sparkconsole.fleet.store import ServerPhase, ServerState
from sparkconsole.model.text import hours
from sparkconsole.tui.show.area import area
from sparkconsole.tui.show.bars import UNKNOWN, age, bar_text, percent, tokens
from sparkconsole.tui.show.frame import fitting, folded, joined, said
from sparkconsole.tui.show.spark import spark_text

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
STAGES = ("container", "engine", "weights", "compile", "KV cache", "graphs", "server")


def serve_title(server: ServerState, now_s: float) -> Text:
    """`● ready 00:41:12`; what is old says how old."""
    glyph, style = SIGNS[server.phase]
    since = "" if server.since_s is None else hours(max(0.0, now_s - server.since_s))
    timed = server.phase in (ServerPhase.READY, ServerPhase.LOADING)
    parts = (
        Text(f"{glyph} {server.phase.value}", style),
        Text(since if timed else "", "$muted"),
        _old(server, now_s),
    )
    return joined(parts, " ")


def _old(server: ServerState, now_s: float) -> Text:
    if server.phase is not ServerPhase.READY or server.seen_at_s is None or now_s - server.seen_at_s <= OLD_S:
        return Text()
    return Text(f"seen {age(now_s - server.seen_at_s)} ago", "$node-warn")


def serve_lines(
    server: ServerState, generated: Series, prompted: Series, width: int, height: int, *, lost_head: str = ""
) -> list[Text]:
    """`height` lines at most; with room to spare there are charts of the tokens a second."""
    if server.phase is ServerPhase.NONE:
        return _nothing(width, height)
    if server.phase is ServerPhase.UNKNOWN:
        return _unknown(server, lost_head, width, height)
    first = [_what(server, width)]
    if server.phase is ServerPhase.LOADING:
        return [*first, *_loading(server, width, height - 1)][:height]
    if server.phase is not ServerPhase.READY:
        told = folded(server.detail or "see its log: l", width, max(1, height - 1))
        return [*first, *(Text(line, "$node-lost") for line in told)][:height]
    if height >= 9:
        return [*first, *_charts(server, generated, prompted, width, height - 1)][:height]
    return [*first, _rates(server, generated, prompted, width)][:height]


def _nothing(width: int, height: int) -> list[Text]:
    lines = (
        fitting((Text("nothing is served"), Text("5 chooses a model and starts it", "$muted")), width),
        Text("launch the containers first: U", "$muted"),
    )
    return list(lines[:height])


def _unknown(server: ServerState, lost_head: str, width: int, height: int) -> list[Text]:
    why = server.detail or (f"the head, {lost_head}, does not answer" if lost_head else "not asked yet …")
    last = joined((Text("last known:", "$muted"), said(server.model, "$muted"))) if server.model else Text()
    return [x for x in (*(Text(t, "$muted") for t in folded(why, width, 2)), last) if x][:height]


def _what(server: ServerState, width: int) -> Text:
    load = server.load
    ranks = f"tp {server.ranks}" if server.ranks else ""
    parts = (
        said(server.model or "a model", "bold $title"),
        Text(ranks),
        Text(f":{server.port}"),
        Text(f"running {load.running}" if load and load.running is not None else ""),
        Text(f"waiting {load.waiting}" if load and load.waiting is not None else "", _waiting_style(server)),
    )
    shown = _shortened(parts, width)
    return fitting(shown, width)


def _shortened(parts: Sequence[Text], width: int) -> Sequence[Text]:
    """The model's own name stays when its owner's must go."""
    long = joined(parts).cell_len > width
    name = parts[0].plain.rpartition("/")[2]
    return (Text(name, "bold $title"), *parts[1:]) if long and name else parts


def _waiting_style(server: ServerState) -> str:
    return "$node-warn" if server.load and (server.load.waiting or 0) > 0 else ""


def _loading(server: ServerState, width: int, height: int) -> list[Text]:
    share = server.percent / 100 if server.percent is not None else None
    stage = said(server.stage or "starting", "$node-warn")
    bar = bar_text(share, min(30, max(8, width // 3))) if share is not None else Text()
    number = Text(percent(share)) if share is not None else Text()
    first = fitting((stage, bar, number, said(server.detail, "$muted")), width)
    return [first, _stages(server, width)][: max(height, 0)]


def _stages(server: ServerState, width: int) -> Text:
    """`✔ container  ✔ engine  ▶ weights  ○ compile …`"""
    if server.stage not in STAGES:
        return Text()
    at = STAGES.index(server.stage)
    marks = [("✔", "$node-up")] * at + [("▶", "$node-warn")] + [("○", "$muted")] * (len(STAGES) - at - 1)
    parts = [Text(f"{mark} {name}", style) for (mark, style), name in zip(marks, STAGES, strict=True)]
    return (
        fitting(parts, width) if joined(parts).cell_len <= width else fitting(parts[max(0, at - 1) :], width)
    )


def _kv(server: ServerState) -> Text:
    share = server.load.kv_share if server.load else None
    return Text(
        f"kv {share:.0%}" if share is not None else f"kv {UNKNOWN}",
        "$node-warn" if (share or 0) > 0.95 else "",
    )


def _rates(server: ServerState, generated: Series, prompted: Series, width: int) -> Text:
    """`gen 41.2 tok/s ▁▂▃▅▆  prompt 812 tok/s ▁▁▂▇  kv 37%`"""
    gen = Text(f"gen {tokens(server.generated_per_s)}")
    prompt = Text(f"prompt {tokens(server.prompt_per_s)}")
    kv = _kv(server)
    room = (width - gen.cell_len - prompt.cell_len - kv.cell_len - 6) // 2
    if room >= 5:
        room = min(room, 40)
        gen = joined((gen, spark_text(generated, room)), " ")
        prompt = joined((prompt, spark_text(prompted, room)), " ")
    return fitting((gen, prompt, kv), width)


def _charts(server: ServerState, generated: Series, prompted: Series, width: int, height: int) -> list[Text]:
    """Two charts below each other, and the KV cache as a bar."""
    share = server.load.kv_share if server.load else None
    kv = joined((Text("kv cache", "$muted"), bar_text(share, min(24, width // 3)), Text(percent(share))), " ")
    each = max(2, (height - 4) // 2)
    return [
        kv,
        Text(""),
        _headed("generated", server.generated_per_s, width),
        *area(generated, width, each, style="$chart-1"),
        _headed("prompt", server.prompt_per_s, width),
        *area(prompted, width, height - 4 - each, style="$chart-2"),
    ]


def _headed(what: str, per_s: float | None, width: int) -> Text:
    return fitting((Text(what, "$muted"), Text(tokens(per_s), "bold")), width, " ")
