"""Names that tell a stranger nothing are gone, and what nobody uses is gone with them."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_house import SOURCES

WORN = {"told", "said", "standing", "deed", "deeds", "carry", "ground"}
"""Words of this house's first years: each stood for several things that have a name of their own."""


def worn(text: str) -> set[str]:
    """Identifiers of a module that have such a word in them."""
    names = {
        t.string for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.NAME
    }
    parts = {name: re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name) for name in names}
    return {name for name, words in parts.items() if WORN & {word.lower() for word in words}}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_name_is_worn(path: Path) -> None:
    assert worn(path.read_text()) == set()


def test_a_worn_name_is_found() -> None:
    text = "class ServeStanding: ...\nX_SAID = 1  # said\ndef f(told, saidX, gold): 'ground'"
    assert worn(text) == {"ServeStanding", "X_SAID", "told", "saidX"}


def unused(root: Path) -> str:
    """What vulture finds in a checkout beyond the list in pyproject.toml."""
    words = (sys.executable, "-m", "vulture")
    return subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=120, check=False).stdout


def test_nothing_is_unused() -> None:
    assert unused(ROOT) == ""


def test_what_is_unused_is_found(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "sparkconsole").mkdir()
    planted = "def nobody_calls_it():\n    return 1\n\nclass Nobody:\n    def on_mount(self):\n        pass\n"
    (tmp_path / "sparkconsole" / "planted.py").write_text(planted)
    found = re.findall(r"unused \w+ '(\w+)'", unused(tmp_path))
    assert found == ["nobody_calls_it", "Nobody"]
