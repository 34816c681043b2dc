"""A folder of one process goes with it: by itself, or when the next one comes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sparkconsole.config.locked import OwnFolder, locked

KEPT = """
import sys
from sparkconsole.config.locked import OwnFolder
folder = OwnFolder()
open(folder.name + "/0.sock", "w").close()
print(folder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def other(place: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has one."""
    process = subprocess.Popen(
        (sys.executable, "-c", KEPT), env={**os.environ, "TMPDIR": str(place)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def aged(folder: Path) -> Path:
    os.utime(folder, (1, 1))
    return folder


def test_it_goes_with_its_process(place: Path) -> None:
    with OwnFolder() as name:
        assert Path(name).is_dir()
        with locked(Path(name) / "kept", patience_s=0.1):
            pass  # what is kept in it is locked by the folder, as everywhere
    assert list(place.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_lives_stays(place: Path) -> None:
    (killed, left), (lives, kept) = other(place), other(place)
    aged(left), aged(kept)
    killed.kill()
    killed.communicate()
    fresh, foreign = place / "sparkconsole-own-fresh", place / "sparkconsole-mine"
    for folder in (fresh, foreign):
        folder.mkdir()
    aged(foreign)
    (place / "elsewhere").mkdir()
    link = place / "sparkconsole-own-link"
    link.symlink_to(place / "elsewhere")
    with OwnFolder() as name:
        assert {p.name for p in place.iterdir()} == {
            kept.name, fresh.name, foreign.name, "elsewhere", link.name, Path(name).name
        }  # fmt: skip
        assert (kept / "0.sock").exists()
    lives.communicate()
    assert lives.returncode == 0
