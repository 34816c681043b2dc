"""The memory guard really runs here, beside a process that stands for a server; what it does is read back."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkconsole.remote.jobs import INSIDE
from sparkconsole.remote.serve.guard import FIRED, SAYS, guard_argv

HUGE, NOTHING = 1 << 50, 1024


def guard(line_bytes: int, job: str) -> subprocess.Popen[str]:
    """Quick, and blind for the vLLM that somebody else runs on this machine."""
    shell, flag, script, *rest = guard_argv(line_bytes, job)
    script = script.replace("^VLLM::", "^NOBODY::").replace("sleep 0.5", "sleep 0.02").replace(
        "sleep 3", "sleep 0.2"
    )  # fmt: skip
    return subprocess.Popen((shell, flag, script, *rest), stdout=subprocess.PIPE, text=True)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str], Path]]:
    """As jobs run inside a container: a group of its own, its leader in a file."""
    job, log = f"serve-test-{uuid.uuid4().hex[:8]}", tmp_path / "log"
    with log.open("w") as out:
        started = subprocess.Popen(
            ("sh", "-c", INSIDE, "job", job, "sh", "-c", "echo up; sleep 60"),
            stdout=out, text=True, start_new_session=True,
        )  # fmt: skip
        while "up" not in log.read_text():
            assert started.poll() is None
        yield job, started, log
    started.kill()
    started.wait(10)
    Path(f"/tmp/sparkconsole-{job}.pid").unlink(missing_ok=True)


def test_at_the_line_the_server_ends_and_its_log_says_why(
    server: tuple[str, subprocess.Popen[str], Path],
) -> None:
    job, started, log = server
    watcher = guard(HUGE, job)
    said, _ = watcher.communicate(timeout=20)
    assert watcher.returncode == FIRED
    assert said.startswith(SAYS)
    assert "the server is ended before the machine freezes" in said
    assert log.read_text().splitlines()[-1] == said.strip()
    assert started.wait(10) != 0


def test_above_the_line_it_watches_until_the_server_has_gone(
    server: tuple[str, subprocess.Popen[str], Path],
) -> None:
    job, started, log = server
    watcher = guard(NOTHING, job)
    with pytest.raises(subprocess.TimeoutExpired):
        watcher.communicate(timeout=1)
    assert started.poll() is None
    started.terminate()
    started.wait(10)
    Path(f"/tmp/sparkconsole-{job}.pid").unlink()
    assert watcher.communicate(timeout=20)[0] == ""
    assert watcher.returncode == 0
    assert log.read_text() == "up\n"
