"""The command of a benchmark, run for real with a pretend `vllm`: its result comes back, nothing stays."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from sparkconsole.model.bench import KEPT_POINTS, RESULT_MARK, BenchSpec, bench_argv, compare
from sparkconsole.parse.serve.vllm_bench import parse_output

VLLM = """#!/bin/sh
printf '%s\\n' "$@" > "$SEEN"
echo "Successful requests: 2"
while [ $# -gt 0 ]; do case $1 in --result-dir) d=$2;; --result-filename) f=$2;; esac; shift; done
[ -z "$SAVED" ] || printf '%s' "$SAVED" > "$d/$f"
exit "$STATUS"
"""


def words(spec: BenchSpec) -> tuple[str, ...]:
    """vLLM's own part of the command."""
    argv = bench_argv(spec)
    assert argv[:2] == ("sh", "-c")
    return argv[4:]


def test_the_command_of_the_scripts_readme() -> None:
    spec = BenchSpec(
        model="RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4", dataset_name="sharegpt",
        dataset_path="ShareGPT_V3_unfiltered_cleaned_split.json", num_prompts=1,
    )  # fmt: skip
    assert " ".join(words(spec)) == (
        "vllm bench serve --backend vllm --base-url http://127.0.0.1:8888 --endpoint /v1/completions "
        "--model RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4 --dataset-name sharegpt --num-prompts 1 --seed 0 "
        "--dataset-path ShareGPT_V3_unfiltered_cleaned_split.json"
    )


def test_everything_that_can_be_said() -> None:
    spec = BenchSpec(
        model="tiny", tokenizer="/models/tiny", port=9000, backend="openai", input_len=64, output_len=32,
        num_prompts=24, max_concurrency=4, request_rate=2.5, seed=7, extra=("--goodput", "ttft:100 ü"),
    )  # fmt: skip
    assert words(spec) == (
        "vllm", "bench", "serve", "--backend", "openai", "--base-url", "http://127.0.0.1:9000",
        "--endpoint", "/v1/completions", "--model", "tiny", "--dataset-name", "random", "--num-prompts", "24",
        "--seed", "7",
        "--tokenizer", "/models/tiny", "--random-input-len", "64", "--random-output-len", "32",
        "--max-concurrency", "4", "--request-rate", "2.5", "--goodput", "ttft:100 ü",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({}, "/v1/completions"),
        ({"backend": "openai"}, "/v1/completions"),
        ({"backend": "openai-chat"}, "/v1/chat/completions"),
        ({"backend": "openai-chat", "endpoint": "/x"}, "/x"),
    ],
)
def test_the_endpoint_goes_with_the_backend(said: dict[str, str], path: str) -> None:
    argv = words(BenchSpec.model_validate({"model": "m", **said}))
    assert argv[argv.index("--endpoint") + 1] == path


@pytest.mark.parametrize(
    "wrong", [{"num_prompts": 0}, {"request_rate": 0}, {"max_concurrency": 0}, {"backend": "x"}, {"port": 0}]
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        BenchSpec.model_validate({"model": "m", **wrong})


# --- run for real


def run(folder: Path, spec: BenchSpec, *, status: int, saved: str) -> subprocess.CompletedProcess[str]:
    places = {name: folder / name for name in ("bin", "tmp")}
    for place in places.values():
        place.mkdir()
    fake = places["bin"] / "vllm"
    fake.write_text(VLLM)
    fake.chmod(0o755)
    environment = {
        "PATH": f"{places['bin']}:{os.environ['PATH']}", "TMPDIR": str(places["tmp"]),
        "SEEN": str(folder / "seen"), "STATUS": str(status), "SAVED": saved,
    }  # fmt: skip
    return subprocess.run(
        bench_argv(spec), env=environment, capture_output=True, text=True, timeout=20, check=False
    )


@pytest.mark.parametrize("status", [0, 7])
def test_result_and_status_come_back_and_nothing_stays(tmp_path: Path, status: int) -> None:
    spec = BenchSpec(model="m", extra=("--metadata", "a b=$x"))
    done = run(tmp_path, spec, status=status, saved='{"completed": 2, "failed": 0}')
    assert done.returncode == status
    assert done.stdout.splitlines()[-1] == RESULT_MARK + ' {"completed": 2, "failed": 0}'
    result, raw = parse_output(done.stdout.splitlines())
    assert result is not None
    assert (result.completed, raw) == (2, {"completed": 2, "failed": 0})
    assert list((tmp_path / "tmp").iterdir()) == []
    seen = (tmp_path / "seen").read_text().splitlines()
    assert seen[: len(words(spec)) - 1] == list(words(spec)[1:])


def test_a_vllm_that_saves_nothing_leaves_its_report(tmp_path: Path) -> None:
    done = run(tmp_path, BenchSpec(model="m"), status=1, saved="")
    result, raw = parse_output(done.stdout.splitlines())
    assert done.returncode == 1
    assert result is not None
    assert (result.completed, raw) == (2, {})
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_cancelled_benchmark_leaves_nothing(tmp_path: Path) -> None:
    """As a job is cancelled: TERM to its whole group."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "vllm"
    fake.write_text("#!/bin/sh\necho began\nexec sleep 60\n")
    fake.chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen(
        bench_argv(BenchSpec(model="m")), env=environment, stdout=subprocess.PIPE, text=True, process_group=0
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "began\n"
        os.killpg(process.pid, 15)
        process.wait(timeout=20)
    assert process.returncode != 0
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_kept_result_is_json() -> None:
    spec = BenchSpec(model="m", request_rate=1)
    assert json.loads(json.dumps(spec.model_dump(mode="json")))["request_rate"] == 1


DETAILED = {
    "completed": 2,
    "input_lens": [5, 5, 5],
    "output_lens": [3, 1, 0],
    "ttfts": [0.2, 0.1, 0.0],
    "itls": [[0.01, 0.03], [], []],
    "generated_texts": ["a", "b", ""],
    "errors": ["", "", "refused"],
}


def test_what_each_request_took_is_cut_down_where_it_is(tmp_path: Path) -> None:
    done = run(tmp_path, BenchSpec(model="m"), status=0, saved=json.dumps(DETAILED))
    result, raw = parse_output(done.stdout.splitlines())
    assert result is not None
    assert result.distributions == {"ttft": (100.0, 200.0), "tpot": (20.0,), "itl": (10.0, 30.0)}
    assert raw == {"completed": 2, "errors": ["refused"], "details": raw["details"]}


def test_a_distribution_is_bounded_and_keeps_its_ends(tmp_path: Path) -> None:
    many = {
        **DETAILED,
        "output_lens": [2] * 5000,
        "ttfts": [i / 1000 for i in range(5000)],
        "itls": [[0.5]] * 5000,
    }
    done = run(tmp_path, BenchSpec(model="m"), status=0, saved=json.dumps(many))
    result, _ = parse_output(done.stdout.splitlines())
    assert result is not None
    ttft = result.distributions["ttft"]
    assert (len(ttft), ttft[0], ttft[-1]) == (KEPT_POINTS, 0.0, 4999.0)
    assert abs(ttft[KEPT_POINTS // 2] - 2500) < 25


# --- two results beside each other


def kept(**numbers: object) -> dict[str, object]:
    result = {"completed": 10, "failed": 0, "output_tokens_per_s": 40.0, "latencies": {"median_ttft": 200.0}}
    return {
        "spec": {"model": "m", "num_prompts": 10},
        "server": {"vllm": "0.12"},
        "result": {**result, **numbers},
    }


def test_two_results_differ_in_numbers_and_in_what_was_asked() -> None:
    other = kept(output_tokens_per_s=60.0, latencies={"median_ttft": 100.0, "p99_ttft": 5.0})
    other["spec"] = {"model": "m", "num_prompts": 20, "seed": 0}
    found = compare(kept(), other)
    assert found.settings == (("num_prompts", 10, 20), ("seed", None, 0))
    told = {n.name: (n.one, n.other, n.difference, n.ratio) for n in found.numbers}
    assert told["output tok/s"] == (40.0, 60.0, 20.0, 1.5)
    assert told["TTFT median ms"] == (200.0, 100.0, -100.0, 0.5)
    assert told["TTFT p99 ms"] == (None, 5.0, None, None)
    assert {n.name: n.better for n in found.numbers}["TTFT median ms"] == "other"


def test_the_same_settings_are_no_difference() -> None:
    assert compare(kept(), kept()).settings == ()
    assert all(n.better == "" for n in compare(kept(), kept()).numbers)
