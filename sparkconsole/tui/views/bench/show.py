"""A benchmark as lines of text: how far it is, what it measured, how the requests spread, what was kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from sparkconsole.errors import SparkError
from sparkconsole.fleet.store import ServerPhase
from sparkconsole.model.bench import KINDS
from sparkconsole.model.text.units import UNKNOWN, four_digits, stopwatch
from sparkconsole.tui.draw.bars import work_bar
from sparkconsole.tui.draw.charts import SCALE, area, histogram, rounded_up
from sparkconsole.tui.draw.frame import error_lines, plain
from sparkconsole.tui.task import Task, TaskState

HOW = {
    ServerPhase.READY: "^j benchmarks the served model with these settings; tab moves through the fields.",
    ServerPhase.LOADING: "The model is still loading; 5 shows the progress.",
    ServerPhase.WEDGED: "The server is stuck; 5 shows what to do.",
    ServerPhase.UNKNOWN: "Not known yet whether a model is served; r refreshes.",
}
NOTHING = "No server answers, so there is nothing to benchmark. 5 serves a model."
"""The empty state says what to press."""


def progress_text(done: float | None, total: float | None, elapsed_s: float | None, width: int) -> Text:
    """`▕████▌   ▏ 46/64  01:12  ~ 00:28 left`; the time left is what the mean so far says, so it has a ~."""
    share = done / total if done is not None and total else None
    text = work_bar(share, max(0, min(40, width - 34)))
    counted = f"{done:.0f}/{total:.0f}" if done is not None and total else "no request finished yet"
    text.append(f" {counted}", "bold").append(f"  {stopwatch(elapsed_s)}")
    if share and elapsed_s and share < 1:
        text.append(f"  ~ {stopwatch(elapsed_s / share - elapsed_s)} left", "$muted")
    return _within(text, width)


def result_lines(result: Mapping[str, Any], width: int) -> list[Text]:
    """Throughput, then a line per latency with mean, median and p99; only what was measured."""
    failed = result.get("failed") or 0
    lines = [
        _pairs(
            width,
            ("output", _with(result.get("output_tokens_per_s"), "tok/s")),
            ("total", _with(result.get("total_tokens_per_s"), "tok/s")),
            ("requests", _with(result.get("requests_per_s"), "/s")),
        ),
        _pairs(
            width,
            ("completed", str(result.get("completed", UNKNOWN))),
            ("failed", str(failed), "$node-lost" if failed else "bold"),
            ("in", _with(result.get("duration_s"), "s")),
            ("tokens", f"{_count(result.get('input_tokens'))} in {_count(result.get('output_tokens'))} out"),
        ),
    ]
    latencies = result.get("latencies") or {}
    stats = ("mean", "median", "p99")
    kinds = [k for k in KINDS if any(f"{s}_{k}" in latencies for s in stats)]
    if kinds:
        lines.append(_row(("ms", *stats), "$muted"))
    lines += [_row((k.upper(), *(four_digits(latencies.get(f"{s}_{k}")) for s in stats)), "") for k in kinds]
    return [_within(line, width) for line in lines]


def spread_title(kind: str, result: Mapping[str, Any]) -> str:
    """`ttft ms · p50 212 · p99 871`, for the frame of its distribution."""
    latencies = result.get("latencies") or {}
    keys = {"p50": f"median_{kind}", "p99": f"p99_{kind}"}
    parts = [f"{name} {four_digits(latencies[key])}" for name, key in keys.items() if key in latencies]
    return " · ".join((f"{kind} ms", *parts))


def spread(kind: str, result: Mapping[str, Any]) -> tuple[float, ...]:
    """What each request took, in ms; empty when this vLLM did not say."""
    values = (result.get("distributions") or {}).get(kind) or ()
    return tuple(float(v) for v in values)


def history_row(bench: Mapping[str, Any], width: int, *, mark: str = " ") -> Text:
    """`2 12-19 10:31  conc 8     64 req   162.0 tok/s  ttft  402.0 ms  gpt-oss-120b`."""
    spec, result = bench.get("spec") or {}, bench.get("result") or {}
    conc = spec.get("max_concurrency")
    failed = result.get("failed") or 0
    text = Text(no_wrap=True, end="")
    text.append(f"{mark} ", "bold $mark").append(f"{plain(str(bench.get('when') or ''))[5:]:<11}  ", "$muted")
    text.append(f"{f'conc {conc}' if conc else 'no limit':<8} {spec.get('num_prompts', UNKNOWN)!s:>5} req ")
    text.append(f"{four_digits(result.get('output_tokens_per_s')):>7} tok/s  ", "bold")
    text.append(f"ttft {four_digits((result.get('latencies') or {}).get('median_ttft')):>6} ms  ")
    if failed:
        text.append(f"✖ {failed} failed  ", "$node-lost")
    text.append(plain(str(bench.get("model") or "")).rsplit("/", 1)[-1], "$muted")
    return _within(text, width)


def course(rates: Sequence[float | None], width: int, height: int) -> list[Text]:
    """Tokens a second from the beginning of the run on, over the whole width; nothing before a reading."""
    peak = max((rate for rate in rates if rate is not None), default=None)
    if peak is None:
        return []
    each = max(1, (width - SCALE - 1) // len(rates))
    top = rounded_up(peak, (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10))  # so near that the chart fills its room
    return area([rate for rate in rates for _ in range(each)], width, height, high=top)


def _row(cells: Sequence[str], style: str) -> Text:
    name, *rest = cells
    return Text(f"{name:<5}" + "".join(f"{c:>11}" for c in rest), style, no_wrap=True, end="")


def _pairs(width: int, *pairs: tuple[str, ...]) -> Text:
    text = Text(no_wrap=True, end="")
    for name, value, *style in pairs:
        if text.plain and cell_len(text.plain) + len(name) + len(value) + 4 > width:
            break
        text.append("   " if text.plain else "").append(f"{name} ", "$muted")
        text.append(value, style[0] if style else "bold")
    return text


def _within(text: Text, width: int) -> Text:
    text.truncate(max(width, 0), overflow="ellipsis")
    return text


def _with(value: float | None, unit: str) -> str:
    return UNKNOWN if value is None else f"{four_digits(value)} {unit}"


def _count(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0f}"


def result_title(shown: Mapping[str, Any] | None, task: Task | None, result: Mapping[str, Any]) -> str:
    """For the frame: whether it succeeded, and which benchmark it was."""
    mark = "✖ failed" if result.get("failed") else "✔ done"
    if shown is not None:
        return f"{mark} · {shown.get('when')} {shown.get('model')}"
    return f"{broken(task) or mark} · {task.title}" if task else mark


def broken(task: Task) -> str:
    """How a benchmark ended that did not succeed; empty otherwise."""
    return "– unknown" if task.state is TaskState.UNKNOWN else "✖ failed" if task.broke else ""


def remarks(task: Task, width: int) -> list[Text]:
    """Why it failed, and what to do next."""
    cause = task.answer.data.get("error") if task.answer else ""
    error = task.error or (SparkError(str(cause)) if cause else None)
    return error_lines(error, width) if error else []


def spread_lines(values: Sequence[float], width: int, height: int) -> list[Text]:
    """The histogram; where vLLM did not say what each request took, that."""
    lines = histogram(values, width, height)
    return lines or [Text("this vLLM reports no latency per request", "$muted", no_wrap=True, end="")]
