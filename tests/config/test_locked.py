"""Files that several consoles change at once: every change that was called done is in the file."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparkconsole.config.inventory import load
from sparkconsole.config.locked import locked

CODE = """
import sys, time
from pathlib import Path
from sparkconsole.config.locked import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """A process that has the lock until its standard input ends."""
    words = (sys.executable, "-c", CODE, str(path))
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_waits_too_long_is_told_why(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    with holder(path) as other:
        with pytest.raises(OSError, match="another sparkconsole") as caught, locked(path, patience_s=0.05):
            pass
        assert caught.value.strerror
        other.kill()
    with locked(path):
        assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"
    with holder(path) as other:
        other.kill()
        with locked(path):
            pass


@pytest.mark.programs
def test_thirty_two_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cluster.toml"

    def sparkconsole(*words: str) -> str:
        argv = (sys.executable, "-m", "sparkconsole", "--config", str(path), *words)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        return "" if done.returncode == 0 else f"{words}: {done.stderr}"

    def added(number: int) -> str:
        return sparkconsole("node", "add", f"spark{number}", f"192.0.2.{number}", "--to", "lab")

    def changed(number: int) -> str:
        return sparkconsole("node", "remove", f"spark{number}") if number <= 8 else added(number)

    with ThreadPoolExecutor(8) as people:
        assert "".join(people.map(added, range(1, 9))) == ""
        assert "".join(people.map(changed, range(1, 33))) == ""
    names = {node.name for node in load(path).clusters["lab"].nodes}
    assert names == {f"spark{number}" for number in range(9, 33)}
