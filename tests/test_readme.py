"""Every command that README and docs/ show is in the grammar, and those for the pretend cluster are run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sparkconsole.config.inventory import parse
from sparkconsole.verbs.grammar.dispatch import understand
from tests.conftest import ROOT
from tests.global_options import read_globals
from tests.texts import FOR_USERS, README, blocks, commands, shell_lines

pytestmark = pytest.mark.programs

LINES = shell_lines(*FOR_USERS)
COMMANDS = commands(*FOR_USERS)
MAIN_JOB = commands(README)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_is_in_the_grammar(line: str) -> None:
    options, words = read_globals(shlex.split(line)[1:])
    if options.script is None:
        understand(words)
    else:
        assert (ROOT / options.script).is_file()


@pytest.mark.parametrize("line", [line for line in COMMANDS if "--demo" in line])
def test_the_command_runs_on_the_pretend_cluster(line: str, tmp_path: Path) -> None:
    done = _run(shlex.split(line)[1:], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_main_job_word_by_word(tmp_path: Path) -> None:
    """The block that a newcomer types, as it stands, on the pretend cluster."""
    first = next(i for i, line in enumerate(MAIN_JOB) if "image build" in line)
    last = MAIN_JOB.index("sparkconsole stop")
    script = tmp_path / "typed.spark"
    script.write_text("\n".join(line.removeprefix("sparkconsole ") for line in MAIN_JOB[first : last + 1]))
    done = _run(["--demo", "--yes", "--script", str(script)], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 completed, 0 failed" in done.stdout


def test_the_inventory_is_valid() -> None:
    at = ROOT / "docs" / "inventory.md"
    inventory = parse(blocks(at, "toml")[0], at)
    assert [n.name for n in inventory.clusters["lab"].nodes] == ["spark-01", "spark-02"]


@pytest.mark.parametrize("target", [line.split()[1] for line in LINES if line.startswith("make ")])
def test_the_make_target_exists(target: str) -> None:
    done = subprocess.run(
        ("make", "-n", target), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_verb_is_named() -> None:
    from sparkconsole.verbs.grammar.registry import load

    words = (ROOT / "docs" / "words.md").read_text(encoding="utf-8")
    missing = [" ".join(v) for v in load() if not all(w in words for w in v)]
    assert missing == []


def _run(words: list[str], home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "sparkconsole", *words), cwd=ROOT, capture_output=True, text=True,
        timeout=80, check=False, env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip


def test_the_readme_leads_to_every_page_of_docs() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", README.read_text(encoding="utf-8")))
    assert linked == {path.name for path in (ROOT / "docs").glob("*.md")}


@pytest.mark.parametrize("path", FOR_USERS, ids=lambda path: path.name)
def test_every_link_and_picture_is_there(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:\s]+)\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_readme_is_one_short_text() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 100, "what is longer belongs in docs/"
