"""`bench` as a person asks for it, on the pretend cluster: what is kept, and that nothing stays."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sparkconsole import cli
from sparkconsole.demo import stories
from sparkconsole.demo.answers import tools
from sparkconsole.demo.spark import jobs, machine
from sparkconsole.model.bench import RESULT_MARK
from sparkconsole.verbs.grammar import open_session as opening

UP = "image build\nimage copy --to all\nlaunch\nserve m\n"
RAW = {
    "completed": 2,
    "failed": 0,
    "duration": 1.5,
    "request_rate": "inf",
    "model_id": "m",
    "custom": [1, None],
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(opening, "_demo_state", lambda _: tmp_path / "state")
    for name in ("BUILD_S", "COPY_S", "LOAD_S", "SERVE_S", "BENCH_S"):
        monkeypatch.setattr(stories, name, 2.0)
    return tmp_path / "state"


def said(state: Path, capsys: pytest.CaptureFixture[str], lines: str, code: int = 0) -> list[dict[str, Any]]:
    path = state.parent / "typed.spark"
    path.write_text(lines)
    assert cli.run(["--demo", "--yes", "--json", "--script", str(path)]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def story(monkeypatch: pytest.MonkeyPatch, *lines: str, status: int = 0) -> None:
    told = stories.Story(tuple((0.5, line) for line in lines), 1.0, status=status)
    monkeypatch.setattr(stories, "bench_story", lambda _: told)


def test_what_vllm_saved_is_kept_whole(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    story(monkeypatch, f"{RESULT_MARK} {json.dumps(RAW)}")
    *_, ran, shown, listed = said(state, capsys, UP + "bench run --num-prompts 2\nbench show\nbench list\n")
    assert json.loads(Path(ran["file"]).read_text()) == RAW
    assert Path(ran["file"]).parent == state / "bench"
    assert Path(ran["file"]).stat().st_mode & 0o777 == 0o600
    assert ran["server"] == {"model": "m", "root": "m", "max_model_len": 4096, "vllm": "0.32.0"}
    assert (shown["spec"]["num_prompts"], shown["result"]["duration_s"], shown["file"]) == (
        2,
        1.5,
        ran["file"],
    )
    assert [b["id"] for b in listed["benches"]] == [shown["id"]]


def test_fewer_than_asked_for_is_a_failure(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    story(monkeypatch, f"{RESULT_MARK} {json.dumps(RAW)}")
    *_, ran = said(state, capsys, UP + "bench run --num-prompts 3\n", 1)
    assert ran["error"] == "1 of 3 requests failed"


@pytest.mark.parametrize("status", [0, 1])
def test_a_benchmark_without_a_result_fails_and_leaves_no_job(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    started: dict[str, machine.Machine] = {}
    start = jobs.start

    def seen(self: machine.Machine, name: str, argv: tuple[str, ...]) -> bool:
        started[name] = self
        return start(self, name, argv)

    monkeypatch.setattr(tools, "start", seen)
    story(monkeypatch, "ValueError: unknown dataset", status=status)
    *_, failed = said(state, capsys, UP + "bench run\n", 1)
    assert "unknown dataset" in failed["error"]["cause"]
    (bench,) = [name for name in started if name.startswith("bench-")]
    assert bench not in started[bench].jobs


@pytest.mark.parametrize("words", ["--num-prompts 5", "--result-dir=/tmp/x", "--save-result"])
def test_words_that_hide_the_result_are_refused(
    state: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    *_, refused = said(state, capsys, f"{UP}bench run -- {words}\n", 2)
    assert re.split("[ =]", words)[0] in refused["error"]["cause"]


def test_two_kept_benchmarks_beside_each_other(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    story(monkeypatch, f"{RESULT_MARK} {json.dumps({**RAW, 'output_throughput': 50.0})}")
    said(state, capsys, UP + "bench run --num-prompts 2\nbench run --num-prompts 1 --seed 3\n")
    (listed,) = said(state, capsys, "bench list\n")
    newest, oldest = (b["id"] for b in listed["benches"])
    (found,) = said(state, capsys, f"bench compare {oldest} {newest}\n")
    assert found["settings"] == {"num_prompts": [2, 1], "seed": [0, 3]}
    assert found["numbers"]["output tok/s"] == [50.0, 50.0, 0.0, 1.0]
    assert (found["one"]["id"], found["other"]["id"]) == (oldest, newest)


def test_a_run_that_measured_nothing_is_not_compared(
    state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said(state, capsys, UP)
    (listed,) = said(state, capsys, "runs list\n")
    name = listed["runs"][0]["id"]
    (refused,) = said(state, capsys, f"bench compare {name} {name}\n", 2)
    assert "kept no result" in refused["error"]["cause"]


@pytest.mark.parametrize(
    ("before", "reason"), [(("Starting the run...",), "Starting the run..."), ((), "its log is empty")]
)
def test_a_progress_bar_is_no_reason(
    state: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[str, ...],
    reason: str,
) -> None:
    """What a benchmark printed last before it was killed says nothing of why; the line before it may."""
    story(monkeypatch, *before, "  0%|          | 0/60 [00:00<?, ?it/s]", status=137)
    *_, failed = said(state, capsys, UP + "bench run --num-prompts 60\n", code=1)
    assert failed["error"]["cause"] == f"the benchmark ended with status 137: {reason}"
