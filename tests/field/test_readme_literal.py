"""README and docs/ are typed word for word, a command at a time, on a pretend cluster that lasts.

Its `make` and install commands run in fresh roots (test_roots.py), its keys in a terminal, its words for real
machines on real nodes (tests/real/test_readme_words.py): none of that is shown here.
"""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.texts import FOR_USERS, commands

REAL = ("sparkconsole node add", "sparkconsole node trust")
"""A pretend cluster is in no file and its keys are nobody's: these are for real nodes alone."""
COMMANDS = [line for line in commands(*FOR_USERS) if not line.startswith(REAL)]
WRAPPER = f"""#!/bin/sh
case " $* " in *" --demo"*) exec {sys.executable} -m sparkconsole "$@" ;; esac
exec {sys.executable} -m sparkconsole --demo=readme --yes "$@"
"""
"""What the README types means the pretend cluster here; what names one itself is left as it is."""

pytestmark = pytest.mark.field


def _typed(line: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("bash", "-c", line), cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env={"HOME": str(home), "PATH": f"{home / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_every_command_of_the_readme_one_at_a_time(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "sparkconsole"
    program.parent.mkdir()
    program.write_text(WRAPPER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    said: dict[str, str] = {}
    for line in COMMANDS:
        done = _typed(line, tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        said[line] = done.stdout
    assert len(said) > 10, "the README has commands"
    logged = next(text for line, text in said.items() if line.startswith("sparkconsole logs"))
    assert "vllm" in logged.lower(), "the served model's own lines"
    assert "24 completed, 0 failed" in next(t for line, t in said.items() if "bench run" in line)
