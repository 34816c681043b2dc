"""The installed program on every Python of this machine: a real terminal, every view, a dialog, out with 0.

What a pilot does not show: Textual's own start, the terminal's modes, keys as bytes, the exit code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkconsole.tui.keyboard.keys import GLOBAL, VIEWS
from tests.field import environments, interpreters
from tests.field.places import REQUIRED
from tests.field.seen import ESCAPE, Seen
from tests.testbed.testbed import until

EVERY_PYTHON = [pytest.param(v, marks=pytest.mark.xdist_group(v)) for v in interpreters.tried()]
pytestmark = pytest.mark.field
DIGITS = {key.id.removeprefix("view."): key.keys for key in GLOBAL if key.id.startswith("view.")}
PATIENCE_S = 90


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout, as it would be published."""
    return environments.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module", params=EVERY_PYTHON)
def programs(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment of that Python into which the wheel alone was installed."""
    version = request.param
    python = interpreters.found().get(version)
    assert python is not None, f"there is no python{version} here, and SPARKCONSOLE_REQUIRE_FIELD wants it"
    return environments.make(tmp_path_factory.mktemp(version) / "env", python, str(wheel))


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A person's environment, and nothing of ours."""
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def tab(name: str) -> str:
    """How the tab of the view that is shown stands on the screen."""
    return f"[{DIGITS[name]} {name.title()}]"


def test_every_view_has_a_digit() -> None:
    assert tuple(DIGITS) == VIEWS


def test_the_console_opens_shows_every_view_and_a_dialog_and_leaves(
    programs: Path, home: dict[str, str], tmp_path: Path
) -> None:
    with Seen((str(programs / "sparkconsole"), "--demo=2"), home, tmp_path, (120, 40)) as seen:
        seen.until("spark-02")
        for name in (*VIEWS, VIEWS[0]):
            seen.press(DIGITS[name])
            seen.until(tab(name))
            seen.press("?")
            seen.until(f"keys · {name}")
            seen.press(ESCAPE)
            seen.until(lambda text, name=name: f"keys · {name}" not in text, "the dialog is gone")
        seen.press("q")
        assert seen.ended() == 0
        assert b"\x1b[?1049l" in seen.raw
    assert b"Warning" not in seen.raw
    assert b"Traceback" not in seen.raw


def test_the_main_job_runs_there_without_a_terminal(
    programs: Path, home: dict[str, str], tmp_path: Path
) -> None:
    words = (programs / "sparkconsole", "--demo", "--yes", "--script", "first-run")
    warned = {**home, "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        words, cwd=tmp_path, env=warned, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 completed, 0 failed" in done.stdout
    assert "Warning" not in done.stderr


# --- tmux


@pytest.fixture
def socket() -> Iterator[str]:
    """A tmux server of our own."""
    if shutil.which("tmux") is None:
        assert "tmux" not in REQUIRED, "SPARKCONSOLE_REQUIRE_FIELD wants tmux"
        pytest.skip("tmux is not installed")
    name = f"field-{uuid.uuid4().hex[:8]}"
    yield name
    subprocess.run(("tmux", "-L", name, "kill-server"), capture_output=True, check=False)


def tmux(socket: str, *words: str, env: dict[str, str] | None = None) -> str:
    """What that tmux says."""
    done = subprocess.run(
        ("tmux", "-L", socket, "-f", "/dev/null", *words),
        env=env or dict(os.environ), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return done.stdout


def test_in_tmux_a_burst_of_keys_walks_through_and_out(
    programs: Path, home: dict[str, str], tmp_path: Path, socket: str
) -> None:
    code = tmp_path / "code"
    line = f"{programs / 'sparkconsole'} --demo=2; echo $? > {code}"
    tmux(socket, "-u", "new-session", "-d", "-x", "80", "-y", "24", line, env=home)
    until(lambda: "spark-02" in tmux(socket, "capture-pane", "-p"), "the console has opened", PATIENCE_S)
    tmux(socket, "send-keys", *(DIGITS[name] for name in (*VIEWS, VIEWS[0])), "?")
    until(lambda: "keys · cluster" in tmux(socket, "capture-pane", "-p"), "the help is open", PATIENCE_S)
    tmux(socket, "send-keys", "Escape")
    until(lambda: tab(VIEWS[0]) in tmux(socket, "capture-pane", "-p"), "the first view is back", PATIENCE_S)
    tmux(socket, "send-keys", "q")
    until(code.exists, "the console has ended", PATIENCE_S)
    until(lambda: code.read_text() == "0\n", "it ended with 0", PATIENCE_S)
