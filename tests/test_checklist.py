"""checklist.md keeps its word: every line of the checklist has tests, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS = re.findall(r"^\| ([A-Z]\d+) \| .+? \| (.+) \|$", (TESTS / "checklist.md").read_text(), re.M)
WANTED = [
    *(f"B{n}" for n in (*range(1, 10), 11, 12, 13)),
    *(f"C{n}" for n in (*range(1, 15), 16, 17, 18)),
    *(f"D{n}" for n in (*range(1, 10), 11)),
    *("M1", "M2", "M3", "M5", "M6", "O1", "O2", "O3", "O4", "O5", "O6", "O7"),
]


def test_every_line_is_there_once() -> None:
    assert [line for line, _ in ROWS] == WANTED


@pytest.mark.parametrize(("line", "tests"), ROWS, ids=[line for line, _ in ROWS])
def test_the_tests_it_names_exist(line: str, tests: str) -> None:
    named = re.findall(r"`([^`]+)`", tests)
    assert named, f"{line} is shown by nothing"
    assert [name for name in named if not _exists(name)] == []


def _exists(name: str) -> bool:
    path, _, function = name.partition("::")
    tree = ast.parse((TESTS / path).read_text())
    return function in {n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
