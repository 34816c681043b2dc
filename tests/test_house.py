"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCES = sorted((ROOT / "sparkconsole").rglob("*.py"))


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_fits_in_the_head(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text)), "a module says what one may rely on"


def test_names_say_what_a_thing_is() -> None:
    vague = re.compile(r"(?:class|def) \w*(?:Manager|Helper|Util|Handler|Service|Base)\w*\b")
    assert [(p.name, m[0]) for p in SOURCES for m in vague.finditer(p.read_text())] == []


@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["image", "build", "--help"], ["--demo", "config", "path"]]
)
def test_the_headless_face_loads_no_textual(words: list[str]) -> None:
    """Neither the console's library nor, for help, what talks to machines."""
    code = "import sys; from sparkconsole.cli import run, main\n"
    code += "try: main(sys.argv[1:])\nexcept SystemExit as e: code = e.code\n"
    code += "print(code, sorted({m.split('.')[0] for m in sys.modules} & {'textual', 'asyncssh', 'aiohttp'}))"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines()[-1].startswith("0 ["), done.stdout + done.stderr
    assert "textual" not in done.stdout.splitlines()[-1]
    if "--demo" not in words:
        assert done.stdout.splitlines()[-1] == "0 []"


def test_the_help_of_everything_says_what_each_verb_says() -> None:
    from sparkconsole.verbs.registry import ALONE, GROUPS, MODULES, load

    assert {words[0] for words in load()} == set(MODULES) == {*ALONE, *GROUPS}
    for first, sentence in ALONE.items():
        assert load()[first,].summary == sentence


@pytest.mark.parametrize("words", [["--help"], ["node", "--help"]])
def test_help_loads_only_what_it_is_about(words: list[str]) -> None:
    code = (
        f"import sys\nfrom sparkconsole import cli\ncli.run({words!r})\n"
        "print([m for m in sys.modules if m.startswith('sparkconsole.verbs.')], file=sys.stderr)"
    )
    done = subprocess.run(
        (sys.executable, "-c", code), capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    assert "sparkconsole.verbs.serve" not in done.stderr
