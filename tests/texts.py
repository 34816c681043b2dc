"""What is written for users: the README and docs/, and every command in their blocks."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"
GENERATED = "reference.md"
"""Made from the program's own help, which has tests of its own."""
DOCS = sorted(path for path in (ROOT / "docs").glob("*.md") if path.name != GENERATED)
FOR_USERS = (README, *DOCS)


def blocks(path: Path, kind: str) -> list[str]:
    """The fenced blocks of one kind, in their order."""
    return re.findall(rf"^```{kind}\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)


def shell_lines(*paths: Path) -> list[str]:
    """Every line of the `sh` blocks without its comment, as it would be typed."""
    return [
        line.split(" #")[0].strip()
        for path in paths
        for block in blocks(path, "sh")
        for line in block.splitlines()
    ]


def commands(*paths: Path) -> list[str]:
    """The lines that call the program."""
    return [line for line in shell_lines(*paths) if line.startswith("sparkconsole ")]
