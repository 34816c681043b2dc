"""The console in a terminal of its own: what it switches on there is off again at its end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.testbed.testbed import until

pytestmark = pytest.mark.pilot

OPENED, CLOSED = r"\x1b\[\?1049h", r"\x1b\[\?1049l"
"""xterm's other screen, entered and left."""
SWITCHED_OFF = (r"\x1b\[\?1000l", r"\x1b\[\?25h")
"""Mouse reports off, the cursor shown."""
PATIENCE_S = 60


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn[bytes]]:
    """`sparkconsole --demo=2` at 80x24, with a home of its own, once it has painted its nodes."""
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    child = pexpect.spawn(
        str(Path(sys.executable).parent / "sparkconsole"), ["--demo=2"],
        env=home, dimensions=(24, 80), timeout=PATIENCE_S,
    )  # fmt: skip
    child.expect(OPENED)
    child.expect("spark-02")
    try:
        yield child
    finally:
        child.close(force=True)


def restored(child: pexpect.spawn[bytes]) -> None:
    """The terminal is the shell's again."""
    child.expect(CLOSED)
    child.expect(pexpect.EOF)
    after = bytes(child.before or b"")
    text = after.decode(errors="replace")
    assert "Traceback" not in text


def test_q_gives_the_terminal_back(terminal: pexpect.spawn[bytes]) -> None:
    terminal.send("q")
    restored(terminal)
    terminal.wait()
    assert (terminal.exitstatus, terminal.signalstatus) == (0, None)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_console_that_is_ended_gives_the_terminal_back(
    terminal: pexpect.spawn[bytes], sent: signal.Signals
) -> None:
    terminal.kill(sent)
    restored(terminal)
    terminal.wait()
    assert terminal.exitstatus == 128 + sent


def test_a_window_that_was_closed_leaves_no_console_and_no_defect_behind(
    terminal: pexpect.spawn[bytes], tmp_path: Path
) -> None:
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), terminal.child_fd)  # nobody holds the other end of its terminal any more
    until(lambda: not terminal.isalive(), "the console has ended", PATIENCE_S)
    assert list(tmp_path.rglob("defects/*")) == [], "nobody erred: it had nowhere to write any more"
