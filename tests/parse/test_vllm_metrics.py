"""A server's load, from its metrics and from its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.serve.engine import EngineLoad
from sparkconsole.parse.serve.vllm_metrics import parse_metrics

METRICS = """
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 2.0
vllm:num_requests_running{engine="1",model_name="m"} 1.0
vllm:num_requests_waiting{engine="0",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0
vllm:%s{engine="0",model_name="m"} 0.25
vllm:%s{engine="1",model_name="m"} 0.5
vllm:prompt_tokens_total{model_name="m"} 1500.0
vllm:generation_tokens_total{model_name="m"} 7e2
vllm:time_to_first_token_seconds_sum NaN
process_open_fds 32.0
"""
OLD = (
    "Engine 000: Avg prompt throughput: 370.6 tokens/s, Avg generation throughput: 18.7 tokens/s, "
    "Running: 1 reqs, Waiting: 2 reqs, GPU KV cache usage: 0.3%, Prefix cache hit rate: 0.0%"
)
NEW = OLD.replace("GPU KV", "Deferred: 0 reqs, Preemptions: 4, GPU KV")


@pytest.mark.parametrize("name", ["kv_cache_usage_perc", "gpu_cache_usage_perc"])
def test_engines_are_summed_and_the_fullest_cache_counts(name: str) -> None:
    found = parse_metrics(METRICS % (name, name))
    assert found == EngineLoad(3, 0, 0.5, prompt_tokens=1500, generated_tokens=700)
    assert found.text() == "3 running, 0 waiting, KV cache 50%"


@pytest.mark.parametrize("name", ["inter_token_latency_seconds", "time_per_output_token_seconds"])
def test_how_fast_it_answers_on_average_by_either_name(name: str) -> None:
    rows = (
        'time_to_first_token_seconds_bucket{le="0.1",engine="0"} 9', "time_to_first_token_seconds_count 4",
        "time_to_first_token_seconds_sum 1.24", f'{name}_count{{engine="0"}} 100', f"{name}_sum 2.1",
        "spec_decode_num_draft_tokens_total 200", 'spec_decode_num_accepted_tokens_total{engine="0"} 126',
    )  # fmt: skip
    found = parse_metrics("".join(f"vllm:{row}\n" for row in rows))
    assert found.pace() == ("first token 0.31 s", "21.0 ms a token", "63% of drafts accepted")
    assert found.text() == "first token 0.31 s, 21.0 ms a token, 63% of drafts accepted"
    none_yet = parse_metrics(
        "vllm:time_to_first_token_seconds_count 0\nvllm:time_to_first_token_seconds_sum 0\n"
    )
    assert none_yet.pace() == ()


def test_what_is_not_said_is_not_known() -> None:
    assert parse_metrics("<html>not found</html>") == EngineLoad()
    assert EngineLoad().text() == ""


def test_metrics_of_others(captures_of_others: Path) -> None:
    found = parse_metrics((captures_of_others / "vllm/metrics.txt").read_text())
    assert (found.running, found.waiting, found.kv_share) == (0, 0, 0)
    assert found.generated_tokens is not None
    assert found.pace()[0].startswith("first token 0.0")
    assert found.pace()[1].endswith("ms a token")
    assert len(found.pace()) == 2, "no smaller model drafts there"
