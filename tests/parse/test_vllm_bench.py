"""What `vllm bench serve` prints and saves is read the same, whichever version wrote it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.model.bench import RESULT_MARK, BenchResult
from sparkconsole.parse.serve.vllm_bench import (
    first_error,
    parse_bar,
    parse_output,
    parse_report,
    parse_result,
)

REPORT = """
============ Serving Benchmark Result ============
Successful requests:                     23
Failed requests:                         1
Benchmark duration (s):                  2.50
Total input tokens:                      1500
Total generated tokens:                  700
Request throughput (req/s):              9.20
Output token throughput (tok/s):         280.00
Total {t}oken throughput (tok/s):         880.00
---------------Time to First Token----------------
Mean TTFT (ms):                          26.87
Median TTFT (ms):                        19.12
P99 TTFT (ms):                           nan
P99.9 ITL (ms):                          8.34
==================================================
"""
TEXTS = {
    "vllm/bench-serve.vllm.txt": (24, 0, 916.99, 26.87),
    "vllm/bench-serve.openai.txt": (24, 0, 988.93, 19.10),
    "vllm/bench-serve.openai-chat.txt": (24, 0, 972.79, 23.71),
    "vllm/bench-serve.mp-nnodes2.txt": (24, 0, 56.22, 157.53),
    "vllm/bench-serve.server-down.txt": (0, 24, 0.0, 0.0),
    "vllm-bench/serve-07-office-baseline-v0.26.0.txt": (200, 0, 140.21, 1183.08),
}
SAVED = {
    "vllm/bench-result.vllm.json": (24, 0, 916.99, 26.87),
    "vllm/bench-result.openai.json": (24, 0, 988.93, 19.10),
    "vllm/bench-result.openai-chat.json": (24, 0, 972.79, 23.71),
    "vllm/bench-result.mp-nnodes2.json": (24, 0, 56.22, 157.53),
    "vllm/bench-result.ray-tp2.json": (24, 0, 120.89, 158.33),
    "vllm/bench-result.server-down.json": (0, 24, 0.0, 0.0),
    "vllm-bench/serve-07-office-baseline-result-json.txt": (200, 0, 140.21, 1183.08),
}


def saved(folder: Path, name: str) -> dict[str, Any]:
    lines = (folder / name).read_text().splitlines()
    found: dict[str, Any] = json.loads("\n".join(line for line in lines if not line.startswith("# source")))
    return found


def gist(result: BenchResult | None) -> tuple[float, ...]:
    assert result is not None
    numbers = (result.completed, result.failed, result.output_tokens_per_s, result.latencies["mean_ttft"])
    return tuple(round(n or 0, 2) for n in numbers)


@pytest.mark.parametrize("t", ["t", "T"], ids=["0.12 and later", "0.11"])
def test_the_report(t: str) -> None:
    assert parse_report(REPORT.format(t=t).splitlines()) == BenchResult(
        completed=23, failed=1, duration_s=2.5, requests_per_s=9.2, output_tokens_per_s=280.0,
        total_tokens_per_s=880.0, input_tokens=1500, output_tokens=700,
        latencies={"mean_ttft": 26.87, "median_ttft": 19.12, "p99.9_itl": 8.34},
    )  # fmt: skip


def test_no_report_is_no_result() -> None:
    assert parse_report(["Namespace(num_prompts=24)", "Benchmark duration (s): 1.0"]) is None


@pytest.mark.parametrize("name", TEXTS)
def test_reports_of_others(captures_of_others: Path, name: str) -> None:
    text = (captures_of_others / name).read_text()
    assert gist(parse_report(text.splitlines())) == TEXTS[name]


@pytest.mark.parametrize("name", SAVED)
def test_saved_results_of_others(captures_of_others: Path, name: str) -> None:
    assert gist(parse_result(saved(captures_of_others, name))) == SAVED[name]


@pytest.mark.parametrize("kind", ["vllm", "openai", "openai-chat", "mp-nnodes2", "server-down"])
def test_text_and_json_of_one_run_say_the_same(captures_of_others: Path, kind: str) -> None:
    text = (captures_of_others / f"vllm/bench-serve.{kind}.txt").read_text()
    shown = parse_report(text.splitlines())
    kept = parse_result(saved(captures_of_others, f"vllm/bench-result.{kind}.json"))
    assert shown is not None
    assert kept is not None
    assert shown.requests_per_s == round(kept.requests_per_s or 0, 2)
    assert (shown.input_tokens, shown.output_tokens) == (kept.input_tokens, kept.output_tokens)
    assert dict(shown.latencies).items() <= {k: round(v, 2) for k, v in kept.latencies.items()}.items()


def test_every_capture_has_its_row(captures_of_others: Path) -> None:
    patterns = ("vllm/bench-*", "vllm-bench/*")
    there = {str(p.relative_to(captures_of_others)) for g in patterns for p in captures_of_others.glob(g)}
    assert there == {*TEXTS, *SAVED}


def test_numbers_that_are_none_are_left_out() -> None:
    """What Python's JSON writes for a mean of nothing is no JSON for anybody else."""
    raw = json.loads('{"completed": 1, "duration": NaN, "mean_ttft_ms": Infinity, "p99_itl_ms": 2}')
    found = parse_result(raw)
    assert found == BenchResult(completed=1, latencies={"p99_itl": 2.0})
    json.dumps(found.as_data(), allow_nan=False)


def test_another_json_is_no_result() -> None:
    assert parse_result({"completed": "yes"}) is None
    assert parse_result({}) is None


def test_the_json_wins_over_the_report() -> None:
    raw = {"completed": 24, "failed": 0, "model_id": "m"}
    lines = [*REPORT.format(t="t").splitlines(), f"{RESULT_MARK} {json.dumps(raw)}"]
    assert parse_output(lines) == (BenchResult(completed=24, failed=0), raw)


@pytest.mark.parametrize("saved_text", ["", "{", "cat: no such file"])
def test_without_json_the_report_counts(saved_text: str) -> None:
    lines = [*REPORT.format(t="t").splitlines(), f"{RESULT_MARK} {saved_text}"]
    result, raw = parse_output(lines)
    assert result is not None
    assert (result.completed, raw) == (23, {})


def test_neither_is_no_result() -> None:
    assert parse_output(["Traceback", f"{RESULT_MARK} "]) == (None, {})


def test_the_progress_bar() -> None:
    assert parse_bar(" 42%|████▏     | 10/24 [00:01<00:02,  6.0it/s]") == (10, 24)
    assert parse_bar("100%|##########| 24/24 [00:04<00:00]") == (24, 24)
    assert parse_bar("  0%|          | 0/24 [00:00<?, ?it/s]") == (0, 24)
    assert parse_bar("Successful requests: 24/24") is None


def test_the_first_error_of_a_failed_run(captures_of_others: Path) -> None:
    lines = (captures_of_others / "vllm/bench-serve.server-down.txt").read_text().splitlines()
    assert first_error(lines).startswith("Connect call failed"), "without Python's name for it"


def test_the_reason_of_an_error_is_kept_without_its_class() -> None:
    lines = ["aiohttp.client_exceptions.ServerDisconnectedError: Server disconnected", "later: 1"]
    assert first_error(lines) == "Server disconnected"
    assert first_error(["Error 503: overloaded"]) == "Error 503: overloaded"


def test_a_good_run_tells_no_error(captures_of_others: Path) -> None:
    for name in (n for n in TEXTS if "down" not in n):
        assert first_error((captures_of_others / name).read_text().splitlines()) == ""


@pytest.mark.parametrize(
    ("completed", "failed", "short"), [(24, 0, 0), (23, 1, 1), (0, 24, 24), (20, None, 4)]
)
def test_requests_that_are_missing_are_failures(completed: int, failed: int | None, short: int) -> None:
    assert BenchResult(completed=completed, failed=failed).shortfall(24) == short
