"""`model copy`, `model download` and `model verify` on the pretend cluster: plans, outcomes, faults."""

from __future__ import annotations

import re

import pytest

from sparkconsole import cli

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.run([*words])
    shown = capsys.readouterr()
    return code, re.sub(r"\s+", " ", shown.out + shown.err)


def script(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory, text: str
) -> tuple[int, str]:
    path = tmp_path_factory.mktemp("script") / "x.spark"
    path.write_text(text)
    return said(capsys, "--demo=2", "--yes", "--script", str(path), "--keep-going")


def test_a_plan_says_what_goes_before_anything_does(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = said(capsys, "--demo=3", "--dry-run", "model", "copy", LLAMA)
    assert code == 0
    assert "python3 programs send manifest spark@192.168.177.12" in text
    assert "(12 files, 16.1 GB)" in text
    assert '"refs/main' not in text
    assert "spark-03" in text
    code, text = said(capsys, "--demo=2", "--dry-run", "model", "copy", "Qwen/Qwen3-30B-A3B-Instruct-2507")
    assert "(9 files, 45.8 GB)" in text, "only what is missing"


def test_download_copy_and_verify(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = "model download a/b --on spark-02\nmodel copy a/b\nmodel copy a/b\nmodel verify a/b\nmodel list"
    code, text = script(capsys, tmp_path_factory, lines)
    assert code == 0, text
    assert "a/b is on spark-02" in text
    assert "copy to spark-01 copied" in text
    assert "already there" in text
    assert text.count("whole, every hash is right") == 2


def test_a_receiver_without_room_is_refused_and_the_others_finish(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    code, text = script(capsys, tmp_path_factory, f"demo fault spark-02 disk-full\nmodel copy {LLAMA}")
    assert code != 0
    assert "are needed" in text


def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--demo", "--yes", "model", "copy", LLAMA, "--streams", "99")[0] == 2
    assert said(capsys, "--demo", "--yes", "model", "copy", "./models/x")[0] == 2
    assert said(capsys, "--demo", "--yes", "model", "copy", "/")[0] == 2
    assert said(capsys, "--demo", "--yes", "model", "download", "nothing")[0] == 2
    assert said(capsys, "--demo", "--yes", "model", "download", "a/b", "--endpoint", "file:///etc")[0] == 2
    code, text = said(capsys, "--demo", "--yes", "model", "copy", "no/where")
    assert code == 1
    assert "model download no/where" in text
    code, text = said(capsys, "--demo", "--yes", "model", "copy", LLAMA, "--from", "spark-02")
    assert code == 1
    assert said(capsys, "--demo", "--read-only", "model", "download", "a/b")[0] == 4


def test_a_token_is_never_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 30)
    text = said(capsys, "--demo", "--dry-run", "model", "download", "a/b")[1]
    assert "the token in HF_TOKEN is used" in text
    assert "xxx" not in text
