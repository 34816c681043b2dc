"""The floors of pyproject.toml are true: the lowest versions do the main job on the oldest Python."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.field import environments, interpreters
from tests.field.seen import Seen

pytestmark = [pytest.mark.field, pytest.mark.xdist_group("lowest")]


@pytest.fixture(scope="module")
def lowest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of that environment."""
    folder = tmp_path_factory.mktemp("lowest")
    oldest = interpreters.found()[interpreters.tried()[0]]
    return environments.make(
        folder / "env", oldest, str(environments.wheel(folder)), resolution="lowest-direct"
    )


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A person's environment, and nothing of ours."""
    return {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def test_the_main_job_runs_on_the_lowest_versions(lowest: Path, home: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        (lowest / "sparkconsole", "--demo", "--yes", "--script", "first-run"),
        cwd=tmp_path, env=home, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 completed, 0 failed" in done.stdout


def test_the_console_opens_on_the_lowest_versions(lowest: Path, home: dict[str, str], tmp_path: Path) -> None:
    with Seen((str(lowest / "sparkconsole"), "--demo=2"), home, tmp_path) as seen:
        seen.until("spark-02")
        seen.press("q")
        assert seen.ended() == 0
