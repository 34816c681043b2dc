"""docs/design/limits.md is true: each bound is the code's, and each row names a test that exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "design" / "limits.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and "`" in line
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_as_the_code_has_it(row: list[str]) -> None:
    _, bound, kept_by, beyond, test = row
    path, _, name = kept_by.strip("`").partition(":")
    assert (ROOT / path).is_file(), path
    if name:
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        value = getattr(module, name)
        assert callable(value) or str(value) == bound, f"{name} is {value}"
    file, _, function = test.strip("`").partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {function}\(", text, re.MULTILINE), test
    assert beyond


def test_the_table_is_there() -> None:
    assert len(ROWS) >= 20
