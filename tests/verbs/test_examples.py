"""The scripts that come with the program are found by their names, wherever one stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sparkconsole.config.paths import examples, script_path
from tests.conftest import ROOT

pytestmark = pytest.mark.programs


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The program, from that folder."""
    env = {"HOME": str(folder), "PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        (sys.executable, "-m", "sparkconsole", *words), cwd=folder, env=env,
        capture_output=True, text=True, timeout=80, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("said", ["first-run", "first-run.spark", "examples/first-run.spark"])
def test_an_example_goes_by_its_name_anywhere(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert script_path(said).read_text() == (ROOT / "examples/first-run.spark").read_text()


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("first-run").write_text("status\n")
    assert script_path("first-run") == Path("first-run")


@pytest.mark.parametrize("said", ["other/first-run.spark", "first-run.txt", "/first-run", "frist-run"])
def test_other_names_are_nobodys_example(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert script_path(said) == Path(said)


def test_the_script_of_that_name_is_run(tmp_path: Path) -> None:
    done = run(
        tmp_path, "--demo", "--dry-run", "--script", "nightly-rebuild", "--set", "MODEL=Qwen/Qwen3-0.6B"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Qwen/Qwen3-0.6B" in done.stdout + done.stderr


def test_a_script_that_is_not_there_says_where_examples_are(tmp_path: Path) -> None:
    done = run(tmp_path, "--demo", "--script", "frist-run")
    assert done.returncode == 2
    assert "sparkconsole examples" in done.stderr


@pytest.mark.parametrize("words", [("examples",), ("examples", "list")])
def test_the_examples_are_listed_with_the_way_to_run_them(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in examples())
    assert "--demo --yes --script" in done.stdout


def test_an_example_is_shown_as_it_is(tmp_path: Path) -> None:
    done = run(tmp_path, "examples", "show", "first-run")
    assert done.stdout == (ROOT / "examples/first-run.spark").read_text()


def test_an_example_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    done = run(tmp_path, "examples", "show", "third-run")
    assert done.returncode == 2
    assert "third-run" in done.stderr
    assert "first-run" in done.stderr
