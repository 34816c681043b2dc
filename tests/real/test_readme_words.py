"""The README's words for real machines, each typed by itself, on two real nodes.

Only what cannot be had without a GPU and a network stands in for something else: the recipe that builds here,
and a tiny model.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.real.conftest import TINY, Operator, assert_nothing_left
from tests.testbed.testbed import Testbed
from tests.texts import README, commands

WORDS = [line.removeprefix("sparkconsole ") for line in commands(README)]
ADDED = [w for w in WORDS if w.startswith("node add")]
FIRST = next(i for i, words in enumerate(WORDS) if words.startswith("node add"))
REAL = WORDS[FIRST : WORDS.index("stop") + 1]
MODEL = f"serve {TINY} --max-model-len 2048 --enforce-eager"


@pytest.fixture
def newcomer(bed: Testbed, tmp_path: Path) -> Operator:
    """Somebody with keys on the machines, who has typed nothing yet."""
    person = Operator(bed, tmp_path)
    environment = person.environment
    config = Path(environment["HOME"]) / ".ssh" / "config"
    config.parent.mkdir(mode=0o700, exist_ok=True)
    config.write_text((config.read_text() if config.exists() else "") + "\nHost *\n  User spark\n")
    return person


def test_the_words_one_at_a_time(newcomer: Operator, bed: Testbed, build_words: str) -> None:
    said: dict[str, str] = {}
    for words in REAL:
        typed = {"image build": build_words}.get(words) or (MODEL if words.startswith("serve Q") else words)
        done = newcomer.run("--yes", *shlex.split(typed), timeout=1500)
        assert done.returncode == 0, f"{typed}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        said[words] = done.stdout
    assert len(ADDED) == 2, "the README adds two nodes"
    logged = next(text for words, text in said.items() if words.startswith("logs"))
    served = [line for line in logged.splitlines() if " serve │ " in line]
    assert any("POST /v1/completions" in line for line in served), f"the requests it answered: {logged}"
    assert not any('"GET /metrics' in line for line in served), "our own questions hide nothing"
    assert "24 completed, 0 failed" in next(t for words, t in said.items() if words.startswith("bench"))
    assert_nothing_left(bed)
