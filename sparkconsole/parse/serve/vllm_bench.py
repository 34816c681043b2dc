"""What `vllm bench serve` prints and saves, 0.11 to 0.33: its report, its JSON, its progress bar."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sparkconsole.model.bench import RESULT_MARK, BenchResult
from sparkconsole.parse.values import as_number, json_object, number

_ROW = re.compile(r"^(?P<name>[A-Z][^:=]*?(?:\([^()]*\))?):\s+(?P<value>-?[\d.]+|nan|inf)\s*$")
_LATENCY = re.compile(r"^(?P<stat>Mean|Median|Std|P[\d.]+) (?P<kind>TTFT|TPOT|ITL|E2EL) \(ms\)$")
_BAR = re.compile(r"\d%\|.{0,300}\| (?P<done>\d{1,15})/(?P<total>\d{1,15}) \[")
_PYTHONS = r"^(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception): "
_ERROR, _NAME = re.compile(rf"^Error \d+: |{_PYTHONS}"), re.compile(rf"{_PYTHONS}(?:\[Errno -?\d+\] )?")
_FIGURES = (
    ("completed", "successful requests", "completed"),
    ("failed", "failed requests", "failed"),
    ("duration_s", "benchmark duration (s)", "duration"),
    ("requests_per_s", "request throughput (req/s)", "request_throughput"),
    ("output_tokens_per_s", "output token throughput (tok/s)", "output_throughput"),
    ("total_tokens_per_s", "total token throughput (tok/s)", "total_token_throughput"),
    ("input_tokens", "total input tokens", "total_input_tokens"),
    ("output_tokens", "total generated tokens", "total_output_tokens"),
)
"""Each with its row in the report and its key in the JSON."""
_WHOLE = {"completed", "failed", "input_tokens", "output_tokens"}
_JSON_LATENCY = re.compile(r"^(mean|median|std|p[\d.]+)_(ttft|tpot|itl|e2el)_ms$")


def parse_report(lines: Iterable[str]) -> BenchResult | None:
    """The block that closes a run; None when there is none. 0.11 wrote `Total Token throughput`."""
    names = {row: name for name, row, _ in _FIGURES}
    found: dict[str, Any] = {}
    latencies: dict[str, float] = {}
    for line in lines:
        match = _ROW.match(line.strip())
        if not match or (value := number(match["value"])) is None:
            continue
        if name := names.get(match["name"].lower()):
            found[name] = int(value) if name in _WHOLE else value
        elif latency := _LATENCY.match(match["name"]):
            latencies[f"{latency['stat']}_{latency['kind']}".lower()] = value
    return BenchResult(**found, latencies=latencies) if "completed" in found else None


def parse_result(data: Mapping[str, Any]) -> BenchResult | None:
    """The JSON of --save-result; None when it is another JSON."""
    numbers = {k: v for k, v in data.items() if as_number(v) is not None}
    if not isinstance(numbers.get("completed"), int):
        return None
    found: dict[str, Any] = {name: numbers[key] for name, _, key in _FIGURES if key in numbers}
    named = ((_JSON_LATENCY.match(key), value) for key, value in numbers.items())
    latencies = {f"{match[1]}_{match[2]}": float(value) for match, value in named if match}
    return BenchResult(**found, latencies=latencies, distributions=_distributions(data.get("details")))


def _distributions(details: Any) -> dict[str, tuple[float, ...]]:
    """What model.bench cut the requests down to; nothing for anything else."""
    if not isinstance(details, dict):
        return {}
    return {kind: numbers for kind in ("ttft", "tpot", "itl") if (numbers := _numbers(details.get(kind)))}


def _numbers(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        return ()
    return tuple(sorted(number for v in values if (number := as_number(v)) is not None))


def parse_output(lines: Iterable[str]) -> tuple[BenchResult | None, dict[str, Any]]:
    """The result of a whole run and its raw JSON: the JSON where it came, the report otherwise."""
    kept = list(lines)
    for line in reversed(kept):
        if line.startswith(RESULT_MARK):
            raw = json_object(line.removeprefix(RESULT_MARK))
            if raw is None:
                break
            return parse_result(raw), raw
    return parse_report(kept), {}


def parse_bar(line: str) -> tuple[int, int] | None:
    """Requests done and in all, from the progress bar."""
    match = _BAR.search(line)
    return (int(match["done"]), int(match["total"])) if match else None


def first_error(lines: Iterable[str]) -> str:
    """The first error that a failed request told, in a line, without what Python calls it."""
    errors = (line.strip() for line in lines if _ERROR.match(line.strip()))
    parts = [e for e in errors if "Traceback" not in e]
    return _NAME.sub("", parts[0])[:300] if parts else ""
