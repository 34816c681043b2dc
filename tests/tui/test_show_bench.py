"""A benchmark as text."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from sparkconsole.tui.draw.charts import histogram
from sparkconsole.tui.views.bench import show

RESULT = {
    "completed": 64,
    "failed": 0,
    "duration_s": 70.25,
    "requests_per_s": 0.91,
    "output_tokens_per_s": 162.04,
    "total_tokens_per_s": 1834.5,
    "input_tokens": 1000,
    "output_tokens": None,
    "latencies": {"mean_ttft": 402.0, "median_ttft": 212.4, "p99_ttft": 871.0, "median_tpot": 24.12},
    "distributions": {"ttft": [1, 2.5, 3]},
}
KEPT = {
    "id": "20251219-103100-bench-run-ab12",
    "when": "2025-12-19 10:31",
    "model": "openai/gpt-oss-120b",
    "spec": {"max_concurrency": 8, "num_prompts": 64},
    "result": RESULT,
}


def test_progress_says_how_many_and_how_long() -> None:
    text = show.progress_text(16, 64, 30, 78).plain
    assert text.endswith(" 16/64  00:30  ~ 01:30 left")
    assert "no request finished yet" in show.progress_text(None, None, 3, 78).plain
    assert "left" not in show.progress_text(64, 64, 30, 78).plain


@pytest.mark.parametrize("width", [1, 20, 40, 78, 156])
def test_nothing_is_wider_than_the_room(width: int) -> None:
    lines = [
        show.progress_text(16, 64, 30, width),
        *show.result_lines(RESULT, width),
        show.history_row({**KEPT, "model": "日本" * 90}, width),
    ]
    assert max(cell_len(line.plain) for line in lines) <= width


def test_a_result_shows_what_was_measured_and_no_more() -> None:
    lines = [line.plain for line in show.result_lines(RESULT, 78)]
    assert lines[0] == "output 162.0 tok/s   total 1834 tok/s   requests 0.91 /s"
    assert lines[1] == "completed 64   failed 0   in 70.2 s   tokens 1000 in – out"
    assert lines[2].split() == ["ms", "mean", "median", "p99"]
    assert lines[3].split() == ["TTFT", "402.0", "212.4", "871.0"]
    assert lines[4].split() == ["TPOT", "–", "24.1", "–"]
    assert len(lines) == 5, "ITL and E2EL were not measured"


def test_a_distribution_is_what_vllm_gave_or_nothing() -> None:
    assert show.spread("ttft", RESULT) == (1.0, 2.5, 3.0)
    assert show.spread("tpot", RESULT) == ()
    assert show.spread_title("ttft", RESULT) == "ttft ms · p50 212.4 · p99 871.0"
    assert show.spread_title("itl", RESULT) == "itl ms"


def test_history_is_a_line_each() -> None:
    row = show.history_row(KEPT, 100, mark="1").plain
    assert row.startswith("1 12-19 10:31  conc 8      64 req   162.0 tok/s  ttft  212.4 ms")
    assert row.endswith(" gpt-oss-120b")
    assert "failed" in show.history_row({**KEPT, "result": {**RESULT, "failed": 3}}, 100).plain
    assert show.history_row({}, 100).plain


def test_the_course_of_a_run_takes_the_whole_width() -> None:
    top, bottom = (line.plain for line in show.course([10.0, None, 20.0], 22, 2))
    assert top.endswith("█████")
    assert bottom.endswith("┤█████     █████")
    assert show.course([None], 22, 2) == []


def test_a_histogram_has_a_column_for_what_is_there() -> None:
    top, bottom, axis = (line.plain for line in histogram([1, 1, 1, 1, 2, 9], 8, 3))
    assert top == "█       "
    assert bottom == "█▄     ▄"
    assert axis == "9.0 ms"
    assert histogram([1, 9], 20, 3)[-1].plain == "1.0" + " " * 11 + "9.0 ms"
    assert histogram([], 8, 3) == []
    assert histogram([5.0], 8, 3)[1].plain[0] == "█"
    for width in range(4, 60):
        assert max(cell_len(line.plain) for line in histogram([1, 2, 300], width, 4)) <= width
