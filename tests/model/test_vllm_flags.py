"""Words for vLLM mean here what they mean to vLLM's own parser."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sparkconsole.model.bench import OURS, BenchSpec
from sparkconsole.model.serve.spec import ServeSpec, notes
from sparkconsole.model.serve.vllm_flags import flag_of, names, value, whole, without


@pytest.mark.parametrize(
    ("word", "flag"),
    [
        ("--max-model-len", "--max-model-len"),
        ("--max_model_len=4096", "--max-model-len"),
        ("--max-model", "--max-model-len"),
        ("--api_ke", "--api-key"),
        ("-dp", "--data-parallel-size"),
        ("-tp=2", "--tensor-parallel-size"),
        ("--data-parallel-size", "--data-parallel-size"),
        ("--data_parallel_size_local", "--data-parallel-size-local"),
        ("--hf_token", "--hf-token"),
        ("--hf-tok=x", "--hf-token"),
        ("--served_model_name", "--served-model-name"),
        ("--speculative-config.method", "--speculative-config"),
    ],
)
def test_every_spelling_of_a_flag_is_that_flag(word: str, flag: str) -> None:
    assert flag_of(word) == flag


@pytest.mark.parametrize(
    "word", ["--save_result", "--save-result", "--save-res", "--result_dir=x", "--num_prompts"]
)
def test_a_benchmarks_own_flags_are_the_consoles(word: str) -> None:
    assert flag_of(word, OURS)
    with pytest.raises(ValidationError, match="the console's"):
        BenchSpec(model="m", extra=(word, "5"))


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("--api_key", "VLLM_API_KEY"),
        ("--api-ke", "VLLM_API_KEY"),
        ("--api_ke=K", "VLLM_API_KEY"),
        ("--hf_token", "HF_TOKEN"),
        ("--hf-tok=K", "HF_TOKEN"),
        ("--served_model_name", "--served-model-name"),
        ("--served-model", "--served-model-name"),
        ("--por=1", "--port"),
        ("--node_rank", "--node-rank"),
    ],
)
def test_what_is_refused_is_refused_in_every_spelling(word: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ServeSpec(model="m", extra=(word, "K"))


@pytest.mark.parametrize("word", ["--swap_space", "--swap-sp", "--disable_log_requests"])
def test_what_newer_vllm_refuses_is_told_in_every_spelling(word: str) -> None:
    assert "refuses" in notes(ServeSpec(model="m", extra=(word, "4")))[0]


@pytest.mark.parametrize(
    "word", ["8888", "-", "--", "--d", "--data-parallel-s", "--my-plugin", "-x", "--max"]
)
def test_what_vllm_would_not_take_for_one_flag_is_none(word: str) -> None:
    assert flag_of(word) == ""


def test_the_last_value_counts_whatever_its_spelling() -> None:
    words = ("--port", "1", "--por=2", "--port")
    assert value(words[:3], "--port") == "2"
    assert value(words, "--port") == ""
    assert value((), "--port") is None
    assert names(("--gpu_memory_utilization", "0.4"), "--gpu-memory-utilization")


def test_a_flag_goes_with_its_value() -> None:
    words = (
        "--before",
        "--distributed_executor_backend",
        "mp",
        "--distributed-executor-backend=ray",
        "--behind",
    )
    assert without(words, "--distributed-executor-backend") == ("--before", "--behind")


@pytest.mark.parametrize(
    ("text", "number"),
    [("4096", 4096), ("32k", 32000), ("32K", 32768), ("1.5k", 1500), ("1M", 1 << 20), ("-1", -1)],
)
def test_a_number_as_vllm_writes_it(text: str, number: int) -> None:
    assert whole(text) == number


@pytest.mark.parametrize("text", [None, "", "k", "auto", "1.5", "1e999999999k", "NaN", "1_0x"])
def test_what_is_no_whole_number_is_none(text: str | None) -> None:
    assert whole(text) is None
