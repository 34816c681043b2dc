"""A signal that comes while the program is still loading: nothing has begun, and that is what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkconsole.model.work.job import RunState
from sparkconsole.script.ending import SIGNALS
from sparkconsole.script.report import Printer
from tests.testbed.waiting import until

pytestmark = pytest.mark.programs
LATE = ("cyclopts", "asyncio", "sparkconsole.streams", "sparkconsole.config.globals")
"""What is being loaded when the signal comes: the parser of words, the loop, and what is loaded first."""
_HOLDS = """import pathlib, sys, time
class Holds:
    def find_spec(self, name, path=None, target=None):
        if name == {late!r}:
            pathlib.Path({begun!r}).touch()
            time.sleep(60)
if "pytest" not in sys.modules:
    sys.meta_path.insert(0, Holds())
"""


@contextmanager
def loading(tmp_path: Path, late: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program, in the middle of its imports."""
    begun = tmp_path / "begun"
    (tmp_path / "sitecustomize.py").write_text(_HOLDS.format(late=late, begun=str(begun)))
    path = os.pathsep.join((str(tmp_path), *sys.path[1:]))
    with subprocess.Popen(
        (sys.executable, "-m", "sparkconsole", *words), env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        until(lambda: begun.exists() or process.poll() is not None, f"it loads {late}", 20)
        yield process
        process.kill()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("late", LATE)
def test_json_says_that_it_was_cancelled(tmp_path: Path, late: str, number: signal.Signals) -> None:
    with loading(tmp_path, late, "--json", "node", "exec", "--", "true") as process:
        process.send_signal(number)
        shown, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == b""
    [line] = shown.splitlines()
    assert json.loads(line)["state"] == "cancelled"


@pytest.mark.parametrize("words", [("status",), ("exec", "--", "x", "--json"), ("exec", "x", "--json")])
def test_a_person_reads_a_word(tmp_path: Path, words: tuple[str, ...]) -> None:
    with loading(tmp_path, "cyclopts", *words) as process:
        process.send_signal(signal.SIGTERM)
        shown, errors = process.communicate(timeout=20)
    assert (process.returncode, shown, errors.decode()) == (130, b"", "· cancelled\n")


def test_it_is_what_json_says_of_everything_cancelled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Printer(as_json=True).cancelled(RunState.CANCELLED, None)
    usual = json.loads(capsys.readouterr().out)
    with loading(tmp_path, "cyclopts", "status", "--json") as process:
        process.send_signal(signal.SIGINT)
        assert json.loads(process.communicate(timeout=20)[0]) == usual


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """`nohup sparkconsole …`"""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with loading(tmp_path, "cyclopts", "--json", "status") as process:
            status = Path(f"/proc/{process.pid}/status").read_text()
            ignored = int(next(x for x in status.splitlines() if x.startswith("SigIgn")).split()[1], 16)
            assert ignored >> (signal.SIGHUP - 1) & 1
    finally:
        signal.signal(signal.SIGHUP, before)
