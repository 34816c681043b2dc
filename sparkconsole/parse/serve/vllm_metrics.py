"""What a server says of its load on `/metrics`, 0.11 to 0.33."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from sparkconsole.model.serve.engine import EngineLoad, Waited
from sparkconsole.parse.values import number

_SAMPLE = re.compile(r"^vllm:(?P<name>\w+)(?:\{[^}]*\})?\s+(?P<value>\S+)")


def parse_metrics(text: str) -> EngineLoad:
    """The Prometheus text, summed over engines; 0.11 has the cache's share as `gpu_cache_usage_perc` too."""
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match and (value := number(match["value"])) is not None:
            found.setdefault(match["name"], []).append(value)
    shares = found.get("kv_cache_usage_perc") or found.get("gpu_cache_usage_perc")
    return EngineLoad(
        running=_whole(_sum(found, "num_requests_running")),
        waiting=_whole(_sum(found, "num_requests_waiting")),
        kv_share=max(shares) if shares else None,
        prompt_tokens=_sum(found, "prompt_tokens_total"),
        generated_tokens=_sum(found, "generation_tokens_total"),
        first_token=_waited(found, "time_to_first_token_seconds"),
        next_token=next((w for n in _BETWEEN if (w := _waited(found, n))), None),
        drafted=_sum(found, "spec_decode_num_draft_tokens_total"),
        accepted=_sum(found, "spec_decode_num_accepted_tokens_total"),
    )


_BETWEEN = ("inter_token_latency_seconds", "time_per_output_token_seconds")
"""The same, by its newer and its older name."""


def _waited(found: Mapping[str, list[float]], name: str) -> Waited | None:
    """A histogram's count and sum."""
    times, seconds = _sum(found, f"{name}_count"), _sum(found, f"{name}_sum")
    return Waited(times, seconds) if times is not None and seconds is not None else None


def _sum(found: Mapping[str, list[float]], name: str) -> float | None:
    return sum(found[name]) if name in found else None


def _whole(value: float | None) -> int | None:
    return None if value is None or not math.isfinite(value) else int(value)
