"""What a shell is told to complete, and that bash, zsh and fish themselves do it. No node is asked for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from sparkconsole.verbs.help.complete import of_line
from tests.conftest import ROOT

pytestmark = pytest.mark.programs

LAB = """
[clusters.lab]
image = "vllm-lab"
nodes = [{ name = "spark-01", address = "192.0.2.11" }, { name = "ann-02", address = "192.0.2.12" }]
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inventory, a journal with two runs, and a pretend cluster that lasts."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/sparkconsole").mkdir(parents=True)
    (tmp_path / ".config/sparkconsole/cluster.toml").write_text(LAB)
    runs = tmp_path / ".local/state/sparkconsole/runs"
    runs.mkdir(parents=True)
    (runs / "20260101-1-serve-aa.json").write_text(json.dumps({"words": ["serve", "org/served", "-tp", "2"]}))
    (runs / "20260101-2-build-bb.json").write_text(
        json.dumps({"words": ["image", "build", "-t", "vllm-kept"]})
    )
    (runs / "20260101-3-torn.json").write_text('{"words": [')
    pretended = runs.parent / "demo" / "play"
    pretended.mkdir(parents=True)
    (pretended / "machines.json").write_text('{"count": 3}')
    return tmp_path


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sta", ["status"]),
        ("image r", ["rollback"]),
        ("serve st", ["status", "stop"]),
        ("serve o", ["org/served"]),
        ("serve -- --ten", []),
        ("model fit org", ["org/served"]),
        ("image copy v", ["vllm-lab", "vllm-kept"]),
        ("launch -t vllm-k", ["vllm-kept"]),
        ("image copy --to ", ["spark-01", "ann-02", "all"]),
        ("image copy --to spark-01 a", ["ann-02", "all"]),
        ("--nodes ", ["spark-01", "ann-02"]),
        ("status --nodes spark-01,", ["spark-01,ann-02"]),
        ("--cluster ", ["lab"]),
        ("launch --backend ", ["ray", "none", "solo"]),
        ("launch --dry", ["--dry-run"]),
        ("--dry-run launch --sol", ["--solo"]),
        ("--read", ["--read-only"]),
        ("logs --json sp", ["spark-01"]),
        ("logs k", ["kernel"]),
        ("wait-for s", ["server"]),
        ("node restart a", ["ann-02"]),
        ("node remove s", ["spark-01"]),
        ("runs show 20260101-1", ["20260101-1-serve-aa"]),
        ("--demo=", ["--demo=play"]),
        ("--demo=play demo fault ", ["spark-01", "spark-02", "spark-03"]),
        ("--demo=play demo fault spark-02 l", ["lost", "link-down"]),
        ("--demo serve o", []),
        ("completion ", ["bash", "zsh", "fish"]),
        ("help wait", ["wait-for"]),
        ("exec -- ls -", []),
        ("lanch --", []),
        ("image bogus ", []),
        ("--config ", []),
        ("image 'copy", []),
    ],
)
def test_the_words_that_may_come_next(line: str, words: list[str], home: Path) -> None:
    assert list(of_line(f"sparkconsole {line}")) == words


@pytest.mark.parametrize("harm", ["inventory", "journal", "nothing"])
def test_what_cannot_be_read_is_no_name(harm: str, home: Path) -> None:
    if harm == "inventory":
        (home / ".config/sparkconsole/cluster.toml").write_text("][")
    elif harm == "journal":
        shutil.rmtree(home / ".local")
    else:
        shutil.rmtree(home / ".config")
        shutil.rmtree(home / ".local")
    assert "status" in of_line("sparkconsole sta")
    of_line("sparkconsole image copy --to ")
    of_line("sparkconsole serve ")


def test_it_loads_nothing_that_talks_to_machines(home: Path) -> None:
    code = (
        "import sys; from sparkconsole.cli import run; run(['_complete', 'sparkconsole image copy --to ']); "
    )
    code += (
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'textual', 'asyncssh', 'aiohttp', 'rich'}))"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines() == ["spark-01", "ann-02", "all", "[]"]


# --- the shells themselves


def _program(home: Path) -> dict[str, str]:
    """`sparkconsole` on a PATH, as an installed one is."""
    folder = home / "bin"
    folder.mkdir()
    program = folder / "sparkconsole"
    program.write_text(f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m sparkconsole "$@"\n')
    program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return {"HOME": str(home), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def _script(shell: str, home: Path, env: dict[str, str]) -> Path:
    done = subprocess.run(
        ("sparkconsole", "completion", shell), env=env, capture_output=True, text=True, check=True
    )
    path = home / f"complete.{shell}"
    path.write_text(done.stdout)
    return path


CASES = [
    ("sparkconsole sta", "status"),
    ("sparkconsole image copy --to sp", "spark-01"),
    ("sparkconsole --demo=pl", "--demo=play"),
    ("sparkconsole serve org/s", "org/served"),
    ("sparkconsole launch --backend so", "solo"),
]


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
@pytest.mark.parametrize(("line", "word"), CASES)
def test_fish_completes(line: str, word: str, home: Path) -> None:
    env = _program(home)
    script = _script("fish", home, env)
    asked = f'source {script}; complete -C "{line}"'
    done = subprocess.run(("fish", "-N", "-c", asked), env=env, capture_output=True, text=True, check=True)
    assert word in done.stdout.split(), done.stdout + done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(("line", "word"), CASES)
def test_bash_and_zsh_complete_at_tab(shell: str, line: str, word: str, home: Path) -> None:
    """The line is finished by the shell's own editor and then printed by the shell."""
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    env = _program(home)
    script = _script(shell, home, env)
    flags = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[shell]
    child = pexpect.spawn(
        shell, flags, env={**env, "PS1": "> "}, encoding="utf-8", timeout=30, dimensions=(24, 200)
    )
    try:
        if shell == "zsh":
            child.sendline("autoload -Uz compinit && compinit -u -D; PS1='> '")
        child.sendline(f"source {script}; sparkconsole_ready=yes; echo $sparkconsole_ready-$((40+2))")
        child.expect_exact("yes-42")
        child.send(line + "\t")
        child.expect_exact(word, timeout=30)
        child.sendcontrol("c")
    finally:
        child.close(force=True)
