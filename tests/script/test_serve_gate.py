"""Fit and other servers stand between a model and its start: by command line, script and form alike."""

from __future__ import annotations

import json
import re

import pytest

from tests.script.test_demo import UP, Console, console

__all__ = ["console"]

NO_RAY = (*UP[:2], "launch --backend none")
BIG, SMALL = "RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4", "openai/gpt-oss-120b"
HALF = f"serve {SMALL} --gpu-memory-utilization 0.5 --max-model-len 8192"

FULL = f"serve {SMALL} --gpu-memory-utilization 0.9 --max-model-len 8192"


def plan_of_last(console: Console) -> str:
    """The newest serve's plan as the journal keeps it."""
    assert console.run("--json", "runs", "list") == 0
    newest = next(r for r in json.loads(console.out)["runs"] if r["words"][0] == "serve")
    assert console.run("--json", "runs", "show", newest["id"]) == 0
    return json.dumps(json.loads(console.out)["plan"], ensure_ascii=False)


def test_what_fit_refuses_serve_refuses_with_the_way_that_fits(console: Console) -> None:
    assert console.script(*UP, f"serve {BIG} -tp 1 --max-model-len 4096") == 4
    said = re.sub(r"\s+", " ", console.err)
    assert "does not fit: weights and overhead alone take 129.07 GiB" in said
    assert "nothing was started" in said
    assert "tp 2 fits" in said


def test_a_request_too_long_for_the_cache_is_refused_with_the_longest_that_fits(console: Console) -> None:
    words = "-- --max_model_len=200k --gpu-memory-utilization 0.7"
    assert console.script(*UP, f"serve {BIG} {words}") == 4
    longest = re.search(r"--max-model-len (\d+) fits", console.err)
    assert longest
    assert console.script(*UP, f"serve {BIG} --gpu-memory-utilization 0.7 --max-model-len {longest[1]}") == 0


def test_force_goes_on_and_the_plan_says_past_what(console: Console) -> None:
    lines = (*UP, f"serve {BIG} -tp 1 --force")
    assert console.script(*lines, words=("--yes", "--json")) == 0, console.err
    assert "forced past" in plan_of_last(console)


@pytest.mark.parametrize("words", ["-q fp8", "--quantization=fp8", "--hf_overrides {}"])
def test_what_cannot_be_judged_is_said_and_not_refused(console: Console, words: str) -> None:
    assert console.script(*UP, f"serve {BIG} -tp 1 -- {words}") == 0, console.err
    assert "whether it fits in the memory is not known" in plan_of_last(console)


def test_a_second_server_gets_the_memory_that_is_left_and_ports_of_its_own(console: Console) -> None:
    second = f"serve {SMALL} --port 8890 --max-model-len 4096"
    assert console.script(*NO_RAY, HALF, second, words=("--yes", "--json")) == 0, console.err
    text = plan_of_last(console)
    share = re.search(r'"--gpu-memory-utilization", "(0\.\d+)"', text)
    assert share
    assert 0.3 < float(share[1]) < 0.5
    assert '"--master-port", "29502"' in text
    assert "part of the memory is taken by openai/gpt-oss-120b on port 8888" in text


def test_a_second_server_that_asks_for_more_than_is_left_is_refused_with_what_is(console: Console) -> None:
    second = f"serve {SMALL} --port 8890 --gpu-memory-utilization 0.7"
    assert console.script(*NO_RAY, HALF, second) == 4
    assert "vLLM would not start with --gpu-memory-utilization 0.7" in console.err
    assert re.search(r"at most 0\.\d+ is left", console.err)


def test_with_ray_a_second_server_would_wait_for_ever_and_is_refused(console: Console) -> None:
    assert console.script(*UP, HALF, f"serve {SMALL} --port 8890 -tp 1 --max-model-len 4096") == 4
    assert "Ray has no free GPU on spark-01" in console.err
    assert "serve stop --port 8888" in console.err


def test_copies_of_a_model_run_on_a_node_each(console: Console) -> None:
    line = f"serve {SMALL} -tp 1 --max-model-len 8192 -- --data-parallel-size 2"
    assert console.script(*NO_RAY, line, words=("--yes", "--json")) == 0, console.err
    text = plan_of_last(console)
    assert all(f'"--node-rank", "{rank}"' in text for rank in (0, 1))


def test_a_models_own_server_holds_the_memory_that_fit_counts(console: Console) -> None:
    lines = (
        *UP,
        f"serve {SMALL} --gpu-memory-utilization 0.9 --max-model-len 8192",
        f"model fit {SMALL} --tp 2",
    )
    assert console.script(*lines) == 0, console.err
    said = re.sub(r"\s+", " ", console.out)
    assert "tp 2: fits" in said
    assert f"{SMALL} on port 8888 is a server of this model" in said


def test_another_models_server_is_named(console: Console) -> None:
    lines = (
        *UP,
        f"serve {SMALL} --gpu-memory-utilization 0.9 --max-model-len 8192",
        f"model fit {BIG} --tp 2",
    )
    assert console.script(*lines) == 1
    said = re.sub(r"\s+", " ", console.out)
    assert f"part of the memory is taken by {SMALL} on port 8888" in said
