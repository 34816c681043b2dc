"""field/faults.md keeps its word: every fault called gone has tests, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TABLE = (TESTS / "field" / "faults.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]\d+) \| .+? \| (.+?) \| (.+) \|$", TABLE, re.M)
EVERY = [
    *(f"A{n}" for n in range(1, 7)),
    *(f"B{n}" for n in range(1, 11)),
    *(f"C{n}" for n in range(1, 18)),
    *(f"D{n}" for n in range(1, 8)),
]
OPEN: tuple[str, ...] = ()
"""Rows whose fault is not gone yet: said here, and nowhere called done."""


def test_every_row_is_there_once_or_open() -> None:
    assert [row for row, _, _ in ROWS] == [row for row in EVERY if row not in OPEN]


@pytest.mark.parametrize(("row", "shown", "second"), ROWS, ids=[row for row, _, _ in ROWS])
def test_the_tests_it_names_exist(row: str, shown: str, second: str) -> None:
    named = re.findall(r"`([^`]+)`", shown)
    assert named, f"{row} is shown by nothing"
    assert [name for name in (*named, *re.findall(r"`([^`]+)`", second)) if not _exists(name)] == []


def _exists(name: str) -> bool:
    path, _, function = name.partition("::")
    if not function:
        return (TESTS / path).is_file()
    tree = ast.parse((TESTS / path).read_text())
    return function in {
        n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
