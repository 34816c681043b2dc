"""`model fit` on the pretend cluster: verdict, arithmetic, exit codes, JSON."""

from __future__ import annotations

import json
import re

import pytest

from sparkconsole import cli


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.run([*words])
    shown = capsys.readouterr()
    return code, re.sub(r"\s+", " ", shown.out + shown.err)


def test_a_model_that_fits_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "--demo=2", "model", "fit", "gpt-oss-120b")
    assert code == 0
    assert "openai/gpt-oss-120b on one node: fits" in text
    assert "60.73 GiB" in text
    assert "→ sparkconsole serve openai/gpt-oss-120b -tp 1 --gpu-memory-utilization 0.8" in text


def test_a_model_that_needs_two_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "--demo=2", "--json", "model", "fit", "qwen3-vl-235b")
    found = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert code == 0
    assert found["chosen"]["tp"] == 2
    assert [way["fits"] for way in found["ways"]] == [False, True]
    sizes = found["chosen"]["bytes"]
    assert sizes["weights"] + sizes["overhead"] + sizes["kv_cache"] <= sizes["total"]


def test_what_does_not_fit_says_why_and_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "--demo=1", "model", "fit", "qwen3-vl-235b")
    assert code == 1
    assert "does not fit" in text
    assert "weights and overhead alone take" in text
    asked = ("model", "fit", "gpt-oss-120b", "--concurrency", "64", "--gpu-memory-utilization", "0.7")
    code, text = said(capsys, "--demo=1", *asked)
    assert code == 1
    assert re.search(r"does not fit with 131,072 tokens; [\d,]+ would fit", text)


def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--demo", "model", "fit", "gpt-oss-120b", "--tp", "0")[0] == 2
    assert said(capsys, "--demo", "model", "fit", "gpt-oss-120b", "--gpu-memory-utilization", "85")[0] == 2
    assert said(capsys, "--demo", "model", "fit", "gpt-oss-120b", "--kv-cache-dtype", "int1")[0] == 2
    code, text = said(capsys, "--demo", "model", "fit", "owner/nothing")
    assert code == 1
    assert "nothing is downloaded" in text


def test_a_node_with_half_of_it_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--demo=2", "model", "fit", "Qwen/Qwen3-30B-A3B-Instruct-2507")[1]
    assert "spark-02: files that are not whole" in text


def test_flags_that_the_verdict_rests_on_are_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--demo=2", "model", "fit", "gpt-oss-120b", "--kv-cache-dtype", "fp8", "--pp", "2")[1]
    assert re.search(r"serve openai/gpt-oss-120b -tp 1 -pp 2 .* -- --kv-cache-dtype fp8", text)
