"""How a served model stands, as lines of text: the way to ready, the live numbers, what went wrong.

Styles are names of theme variables, resolved when drawn. Nothing here is known that was not told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from sparkconsole.fleet.store import ServerPhase, ServerState
from sparkconsole.model.serve.spec import StartPhase
from sparkconsole.model.text.redact import presentable
from sparkconsole.model.text.units import UNKNOWN, percent, stopwatch, token_rate
from sparkconsole.tui.draw.bars import bar_text, fitted, work_bar
from sparkconsole.tui.draw.charts import spark_text
from sparkconsole.tui.draw.frame import hung

Series = Sequence[float | None]
WAY = tuple(phase for phase in StartPhase if phase is not StartPhase.SERVER)
"""What is shown of a start; that the API server starts is the beginning of being ready."""
SHORT = {StartPhase.CONTAINER: "cntr", StartPhase.COMPILE: "comp", StartPhase.CACHE: "KV"}
"""Where there is no room for the whole word."""


@dataclass(frozen=True, slots=True)
class ServeStatus:
    """How the served model stands, as the store or a start of this console has it."""

    phase: ServerPhase
    model: str = ""
    stage: str = ""
    percent: float | None = None
    detail: str = ""
    cause: str = ""
    remedy: str = ""
    elapsed_s: float | None = None


def serve_status(
    server: ServerState, start: ServeStatus | None, *, now_s: float, remedy: str = ""
) -> ServeStatus:
    """The two put together. A start of this console says more than the store, a server that answers wins."""
    since = None if server.since_s is None else max(0.0, now_s - server.since_s)
    stored = _stored(server, since, remedy)
    if start is None or server.phase is ServerPhase.READY:
        return stored
    if start.phase is ServerPhase.READY:
        return stored if server.phase is ServerPhase.UNKNOWN and server.detail else start
    if start.phase is ServerPhase.FAILED and server.phase in (ServerPhase.LOADING, ServerPhase.WEDGED):
        return stored
    if start.phase is ServerPhase.UNKNOWN and server.phase is not ServerPhase.UNKNOWN:
        return stored
    return _furthest(server, start)


def _stored(server: ServerState, since: float | None, remedy: str) -> ServeStatus:
    wrong = server.phase in (ServerPhase.FAILED, ServerPhase.WEDGED, ServerPhase.UNKNOWN)
    seen = ServeStatus(server.phase, server.model, server.stage, server.percent, elapsed_s=since)
    if wrong:
        return replace(seen, cause=server.detail, remedy=server.look_at or remedy)
    return replace(seen, detail=server.detail)


def _furthest(server: ServerState, start: ServeStatus) -> ServeStatus:
    """Whichever has come further; the store reads every line, so it says more of the same stage."""
    known = replace(start, model=start.model or server.model)
    behind = server.phase is not ServerPhase.LOADING or place(server.stage) < place(start.stage)
    if behind or not server.stage:
        return known
    return replace(known, stage=server.stage, percent=server.percent, detail=server.detail)


def place(stage: str) -> int:
    """Where on the way a stage is; -1 for one that is not known."""
    if stage == StartPhase.SERVER:
        return len(WAY) - 1
    return next((i for i, phase in enumerate(WAY) if phase == stage), -1)


def way_text(now: ServeStatus, width: int) -> Text:
    """`✔ container  ✔ engine  ▶ weights 77 %  ○ compile  ○ KV cache  ○ graphs  ○ ready`, to `width` cells."""
    for short, gap in (({}, 2), ({}, 1), (SHORT, 1)):
        text = _way(now, short, gap)
        if cell_len(text.plain) <= width:
            return text
    text.truncate(max(width, 0), overflow="ellipsis")
    return text


def _way(now: ServeStatus, short: Mapping[StartPhase, str], gap: int) -> Text:
    here, text = _here(now), Text(no_wrap=True, end="")
    for number, phase in enumerate(WAY):
        text.append(*_mark(now, number, here))
        text.append(f" {short.get(phase, phase.value)}", "bold" if number == here else "")
        if number == here and now.percent is not None:
            text.append(f" {now.percent:.0f}%", "bold")
        text.append(" " * gap if number + 1 < len(WAY) else "")
    return text


def _here(now: ServeStatus) -> int:
    if now.phase is ServerPhase.READY:
        return len(WAY)
    return max(place(now.stage), 0) if now.phase is ServerPhase.LOADING or now.stage else -1


def _mark(now: ServeStatus, number: int, here: int) -> tuple[str, str]:
    if number < here:
        return "✔", "$node-up"
    if number > here or here < 0:
        return "○", "$muted"
    return ("▶", "$node-warn") if now.phase is ServerPhase.LOADING else ("✖", "$node-lost")


TITLES = {
    ServerPhase.NONE: "○ nothing is served",
    ServerPhase.LOADING: "▶ loading",
    ServerPhase.READY: "● ready",
    ServerPhase.WEDGED: "✖ stuck",
    ServerPhase.FAILED: "✖ failed",
    ServerPhase.UNKNOWN: "– unknown",
}


def title(now: ServeStatus) -> str:
    """For the frame: `● ready 00:41:12`; glyph and word, so that no colour is needed."""
    ran = now.elapsed_s is not None and now.phase in (ServerPhase.LOADING, ServerPhase.READY)
    return f"{TITLES[now.phase]} {stopwatch(now.elapsed_s)}" if ran else TITLES[now.phase]


def loading_lines(now: ServeStatus, width: int) -> list[Text]:
    """The model, the way, and what the log last told of the stage, with a bar where there is a percentage."""
    second = Text(no_wrap=True, end="")
    if now.percent is not None:
        second = work_bar(now.percent / 100, min(30, width // 3)).append(f" {percent(now.percent / 100)}  ")
    room = width - cell_len(second.plain)
    second.append(_cut(now.detail, room), "$muted")
    lines = [Text(_cut(now.model, width), "bold", no_wrap=True, end=""), way_text(now, width), second]
    return [line for line in lines if line.plain]


def wrong_lines(now: ServeStatus, width: int) -> list[Text]:
    """What is wrong and what to do, folded; the way with the stage at which it stopped."""
    unseen = now.phase is ServerPhase.UNKNOWN
    lines = [way_text(now, width)] if now.stage and not unseen else []
    if unseen and now.model:
        lines.append(Text(_cut(f"last known: {now.model}", width), "$muted", no_wrap=True, end=""))
    cause, remedy = now.cause or CAUSES.get(now.phase, ""), now.remedy or REMEDIES.get(now.phase, "")
    lines += hung(f"{TITLES[now.phase][0]} ", "$node-lost", cause, width)
    return [*lines, *hung("→ ", "$node-up", remedy, width)]


CAUSES = {
    ServerPhase.WEDGED: "/health answers but no token comes back: a worker died or the fabric hangs",
    ServerPhase.FAILED: "the server exited",
    ServerPhase.UNKNOWN: "the head was not queried yet, or it is unreachable",
}
REMEDIES = {
    ServerPhase.WEDGED: "X stops the server, V serves again; R in the cluster view restarts the containers",
    ServerPhase.FAILED: "l shows the log; change a field, then V",
    ServerPhase.UNKNOWN: "r refreshes; 1 shows the state of the nodes",
}


def ready_lines(
    server: ServerState, width: int, *, generated: Series = (), prompted: Series = (), address: str = ""
) -> list[Text]:
    """Model, load, rates with their course, and where it answers."""
    return [
        Text(_cut(server.model, width), "bold", no_wrap=True, end=""),
        load_text(server, width),
        rates_text(server, generated, prompted, width),
        where_text(server, address, width),
    ]


def load_text(server: ServerState, width: int) -> Text:
    """`running 4  waiting 0  KV ▕███▌      ▏  37 %`."""
    load = server.load
    text = Text(no_wrap=True, end="")
    for name, count in (("running", load and load.running), ("waiting", load and load.waiting)):
        text.append(f"{name} ", "$muted").append(f"{UNKNOWN if count is None else count}   ", "bold")
    share = load.kv_share if load else None
    text.append("KV cache ", "$muted")
    if share is None:
        return text.append(UNKNOWN)
    bar = bar_text(share, min(20, max(0, width - cell_len(text.plain) - 6)))
    return text.append_text(bar).append(f" {percent(share)}")


def rates_text(server: ServerState, generated: Series, prompted: Series, width: int) -> Text:
    """`gen 41.2 tok/s ▁▂▃▅▆▆▇  prompt 812 tok/s ▁▁▂▇▂▁`."""
    pairs = (("gen", server.generated_per_s, generated), ("prompt", server.prompt_per_s, prompted))
    room = max(0, (width - sum(len(name) + 14 for name, _, _ in pairs)) // 2)
    text = Text(no_wrap=True, end="")
    for name, rate, series in pairs:
        text.append(f"{name} ", "$muted").append(f"{token_rate(rate):<12}", "bold")
        text.append_text(spark_text(series, min(room, 60))).append(" ")
    text.rstrip()
    return text


def where_text(server: ServerState, address: str, width: int) -> Text:
    """`http://10.0.0.1:8888/v1   2 ranks   first token 0.31 s   21.0 ms a token`."""
    text = Text(no_wrap=True, end="").append("url ", "$muted").append(url(address, server.port), "bold")
    if server.ranks:
        text.append(f"   {server.ranks} rank{'s' * (server.ranks != 1)}", "$muted")
    for words in server.load.pace() if server.load else ():
        text.append(f"   {words}", "$muted")
    text.append("   c copies a curl example", "$muted")
    text.truncate(width, overflow="ellipsis")
    return text


def url(address: str, port: int) -> str:
    """Where it answers; an IPv6 address stands in brackets."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{presentable(host) or UNKNOWN}:{port}/v1"


def curl(address: str, server: ServerState) -> str:
    """A first request that can be pasted into any shell."""
    asked = {"model": server.model, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 64}
    body = json.dumps(asked).replace("'", "'\\''")
    where = f"{url(address, server.port)}/chat/completions"
    return f"curl {where} -H 'Content-Type: application/json' -d '{body}'"


def _cut(text: str, width: int) -> str:
    return fitted(presentable(text), width).rstrip() if width > 0 else ""
