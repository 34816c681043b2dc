"""The record is never in the way: with a state folder that is full, read-only, gone or silent all is done."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from sparkconsole.config.patience import PATIENCE_S, patiently
from tests.silent_disk import silent_disk
from tests.testbed.waiting import until

DOCKER = """#!/bin/sh
# An engine with one container, until somebody removes it.
case " $* " in
" version "*|" --version "*) echo 28.2.2;;
*" inspect "*) [ -e "$HOME/runs" ] || { echo 'Error: No such object' >&2; exit 1; }
  echo '[{"Name": "/vllm_node", "State": {"Running": true}, "Config": {"Image": "vllm-node"}}]';;
*" rm "*) rm -f "$HOME/runs";;
esac
"""
DEEDS = (
    ("status",),
    ("--yes", "stop"),
    ("--yes", "serve", "stop"),
    ("node", "exec", "--", "echo", "it ran"),
    ("node", "exec", "--", "sh", "-c", "exit 3"),
    ("--yes", "--script", "-"),
)
LINES = "node exec -- echo first\nstop\nnode exec -- echo last\n"
CHANGES = DEEDS[1:]
REMOVES = (DEEDS[1], DEEDS[-1])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(DOCKER)
    (tmp_path / "bin/docker").chmod(0o755)
    config = tmp_path / "config/sparkconsole"
    config.mkdir(parents=True)
    nodes = '{ name = "here", address = "127.0.0.1", local = true }'
    (config / "cluster.toml").write_text(f"[clusters.me]\nnodes = [{nodes}]\n")
    return tmp_path


def said(home: Path, state: Path, words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    folders = {"HOME": str(home), "XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(home / "config")}
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    argv = (sys.executable, "-m", "sparkconsole", *words)
    (home / "runs").touch()
    return subprocess.run(
        argv, env={**os.environ, **folders, "PATH": path}, input=LINES, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@contextlib.contextmanager
def mounted(folder: Path, how: str, fill: bool) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("takes root")
    folder.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", how, "small", str(folder))
    if subprocess.run(words, capture_output=True, check=False, timeout=20).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with contextlib.suppress(OSError), (folder / "fill").open("wb", buffering=0) as file:
            while fill:
                file.write(bytes(4096))
        yield folder
    finally:
        subprocess.run(("umount", "-l", str(folder)), check=True, timeout=20)


@contextlib.contextmanager
def foreign(folder: Path) -> Iterator[Path]:
    folder.write_text("no folder")
    yield folder


PLACES: dict[str, Callable[[Path], AbstractContextManager[Path]]] = {
    "silent": silent_disk,
    "full": lambda folder: mounted(folder, "size=64k", True),
    "read-only": lambda folder: mounted(folder, "ro", False),
    "a file": foreign,
}


@pytest.mark.programs
@pytest.mark.parametrize("place", PLACES)
def test_every_deed_is_done_and_what_is_not_kept_is_said(home: Path, place: str) -> None:
    for words in DEEDS if place == "silent" else DEEDS[-3:]:
        well = said(home, home / "well", words)
        with PLACES[place](home / f"bad-{DEEDS.index(words)}") as state:
            done = said(home, state, words)
        assert (done.returncode, steady(done.stdout)) == (well.returncode, steady(well.stdout)), done.stderr
        assert ("continuing without a record" in done.stderr) == (words in CHANGES), done.stderr
        assert done.stderr.count("the journal cannot be written") <= 1, "said once"
        assert (home / "runs").exists() == (words not in REMOVES)
        assert "Traceback" not in done.stderr


def steady(text: str) -> list[str]:
    """Without what changes from look to look, and who else is at work on this machine: other tests are."""
    own = (line for line in text.splitlines() if not re.search("has been running|may still run there", line))
    return [re.sub(r"\d[\d.]* [kMGT]?B|  +", "…", line) for line in own]


@pytest.mark.programs
def test_a_folder_that_goes_away_meanwhile_is_made_again(home: Path) -> None:
    state = home / "state"
    gone = said(home, state, ("node", "exec", "--", "rm", "-rf", str(state)))
    assert gone.returncode == 0, gone.stderr
    assert "it ran" in said(home, state, DEEDS[3]).stdout
    assert "node exec" in said(home, state, ("runs", "list")).stdout


@pytest.mark.programs
def test_reading_says_that_the_disk_is_silent(home: Path) -> None:
    with silent_disk(home / "state") as state:
        listed = said(home, state, ("runs", "list"))
        kept = said(home, state, ("config", "path"))
        completed = said(home, state, ("_complete", "sparkconsole runs show "))
    assert (listed.returncode, "the disk does not answer" in listed.stderr) == (1, True)
    assert (kept.returncode, "its disk does not answer" in kept.stdout) == (0, True)
    assert (completed.returncode, completed.stdout.strip()) == (0, "")


def test_a_folder_that_was_silent_is_refused_at_once_and_asked_again_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkconsole.config.patience.PATIENCE_S", 0.5)
    reader, writer = os.pipe()
    with pytest.raises(OSError, match="the disk does not answer"):
        patiently(tmp_path / "a", lambda: os.read(reader, 1))
    with pytest.raises(OSError, match="the disk does not answer"):
        patiently(tmp_path / "a/b", lambda: pytest.fail("it was asked"))
    assert patiently(tmp_path / "c", lambda: 3) == 3, "another disk is nobody's concern"
    os.write(writer, b"x")
    until(lambda: answers(tmp_path / "a"), "it answers again")
    os.close(reader)
    os.close(writer)


def answers(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return patiently(folder, lambda: True)
    return False


def test_what_the_work_raises_is_the_askers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        patiently(tmp_path, (tmp_path / "none").stat)
    assert PATIENCE_S > 0
