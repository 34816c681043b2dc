"""The script that ends a command with all that it started, on shells and tools of every kind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkconsole.remote.ending import NAME, STAYS, end_of_all, end_of_command
from tests.testbed.waiting import until

pytestmark = pytest.mark.programs
MINE = f"one-{os.getpid()}"
"""Of this process: what ends everything of a name ends it in the whole machine."""
SHELLS = [path for name in ("dash", "bash", "busybox") if (path := shutil.which(name))]
APART = (
    "(setsid sleep 777 & echo $! >>pids) & (env -i setsid sleep 777 & echo $! >>pids; wait) & wait; sleep 777"
)


def lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def under_way(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command of that name, two processes of which are in sessions of their own."""
    environment = {**os.environ, NAME: MINE}
    with subprocess.Popen(
        ("sh", "-c", APART), cwd=tmp_path, env=environment, start_new_session=True
    ) as process:
        until(lambda: len(numbers(tmp_path)) == 2, "it runs", 20)
        yield process
        process.kill()
        for pid in filter(lives, numbers(tmp_path)):
            os.kill(int(pid), signal.SIGKILL)


def numbers(folder: Path) -> list[str]:
    return (folder / "pids").read_text().split() if (folder / "pids").exists() else []


def ended(shell: str, text: str, *words: str, path: str = "") -> int:
    first = (shell, "sh") if shell.endswith("busybox") else (shell,)
    places = {"PATH": f"{path}:{os.environ['PATH']}"} if path else {}
    command = (*first, "-c", text, "end", *words)
    return subprocess.run(command, env={**os.environ, **places}, timeout=30, check=False).returncode


@pytest.mark.parametrize("shell", SHELLS)
def test_all_of_it_ends(shell: str, under_way: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert ended(shell, end_of_command(), MINE, str(under_way.pid)) == 0
    assert not [pid for pid in numbers(tmp_path) if lives(pid)]
    assert under_way.wait(10)


def test_a_grep_that_knows_no_zeros_will_do(under_way: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """As in a container with the smallest of tools."""
    (tmp_path / "bin").mkdir()
    grep = tmp_path / "bin" / "grep"
    grep.write_text('#!/bin/sh\ncase $1 in -*z*) exit 2;; esac\nexec /bin/grep "$@"\n')
    grep.chmod(0o755)
    # It looks at one process after the other: on a machine with hundreds that takes a while.
    assert ended("sh", end_of_all(10, 20) + f"m={MINE} p=-; end", path=str(grep.parent)) == 0
    assert not [pid for pid in numbers(tmp_path) if lives(pid)]


def test_what_has_another_name_is_left_alone(under_way: subprocess.Popen[bytes], tmp_path: Path) -> None:
    for name in (MINE[:-1], f"{MINE}-more", "two"):
        assert ended("sh", end_of_all(2, 4) + "m=$1 p=-; end", name) == 0
    assert [pid for pid in numbers(tmp_path) if lives(pid)] == numbers(tmp_path)
    assert under_way.poll() is None


def test_without_the_tools_nothing_is_called_ended(tmp_path: Path) -> None:
    shell = shutil.which("sh") or "/bin/sh"
    command = (shell, "-c", end_of_all(1, 2) + f"m={MINE} p=-; end")
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, timeout=30, check=False)
    assert done.returncode not in (0, STAYS)


def test_what_does_not_go_is_not_called_ended(under_way: subprocess.Popen[bytes]) -> None:
    """Signals that come to nothing stand for a process of somebody else."""
    deaf = "kill(){ :; }; " + end_of_all(0.2, 0.4) + f"m={MINE} p=-; end"
    assert ended("sh", deaf) == STAYS


GOODBYE = r"""
mkfifo way; setsid cat way >heard & exec 9>way; echo ready >begun
trap 'echo goodbye >&9; exec 9>&-; wait; exit' TERM
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_command_says_goodbye_through_is_ended_after_it(shell: str, tmp_path: Path) -> None:
    """A copy that is stopped tells its receiver over ssh, which has a group of its own."""
    command = ("sh", "-c", GOODBYE)
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, NAME: MINE}, start_new_session=True
    ) as leader:
        until((tmp_path / "begun").exists, "it is under way", 10)
        assert ended(shell, end_of_command(), MINE, str(leader.pid)) == 0
    assert (tmp_path / "heard").read_text() == "goodbye\n"
