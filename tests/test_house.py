"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.shape import LIMITS, shape

SOURCES = sorted((ROOT / "sparkconsole").rglob("*.py"))


def dotted(path: Path) -> str:
    """A file as it is imported; a folder by its `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = [dotted(path) for path in SOURCES if path.stem not in ("__init__", "__main__")]


def imports_checked(root: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of a checkout."""
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=root, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_imports_run_one_way() -> None:
    done = imports_checked(ROOT)
    assert done.returncode == 0, done.stdout


PLANTED = {
    "Layers run one way": ("model/cluster.py", "import sparkconsole.fleet.fleet"),
    "Configuration knows the model only": ("config/paths.py", "import sparkconsole.parse"),
    "Textual lives in tui": ("fleet/store.py", "import textual"),
    "Machines are talked to in remote (and pretended in demo)": ("fleet/store.py", "import asyncssh"),
    "The model and the parsers do no input or output": ("model/cluster.py", "import time"),
    "Rooms import one way": ("model/text/units.py", "import sparkconsole.model.serve.spec"),
}
"""Per contract of pyproject.toml a line that breaks it."""


def test_every_contract_finds_what_breaks_it(tmp_path: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sparkconsole", tmp_path / "sparkconsole", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, line in PLANTED.values():
        path = tmp_path / "sparkconsole" / name
        path.write_text(f"{path.read_text()}\n{line}\n")
    done = imports_checked(tmp_path)
    assert re.findall(r"^(.+?) BROKEN", done.stdout, re.M) == list(PLANTED), done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_fits_in_the_head(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 400
    assert ast.get_docstring(ast.parse(text)), "a module says what one may rely on"


MOST = 12
"""Modules in a folder; `__init__` and `__main__` are none."""


def crowded(modules: Iterable[str]) -> dict[str, int]:
    """Folders with too many of these modules, dotted."""
    rooms = Counter(name.rpartition(".")[0] for name in modules)
    return {room: count for room, count in rooms.items() if count > MOST}


def test_no_room_is_crowded() -> None:
    assert crowded(MODULES) == {}
    assert crowded([f"sparkconsole.a.m{n}" for n in range(MOST + 1)]) == {"sparkconsole.a": MOST + 1}


def imported(name: str, text: str, known: Container[str]) -> set[str]:
    """Modules of ours that a module imports anywhere in it, for its types too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {module if module in known else node.module for module in inner}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module in known} - {name}


def circles(imports: Mapping[str, set[str]]) -> list[str]:
    """What graphlib names when modules import each other in a ring; empty: there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_is_imported_in_a_circle() -> None:
    texts = {dotted(path): path.read_text() for path in SOURCES}
    assert circles({name: imported(name, text, texts) for name, text in texts.items()}) == []
    planted = {"a": "if TYPE_CHECKING:\n    from b import x", "b": "def f():\n    import a"}
    assert circles({name: imported(name, text, planted) for name, text in planted.items()})


def test_what_is_private_stays_in_its_module() -> None:
    wrong = [
        f"{path}: {node.module}.{alias.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sparkconsole")
        for alias in node.names
        if re.match(r"_[a-z]", alias.name, re.I) and not alias.name.startswith("__")
    ]
    assert wrong == []


def test_functions_are_short() -> None:
    found = shape([path.read_text() for path in SOURCES])
    assert {name: found[name] for name, limit in LIMITS.items() if found[name] > limit} == {}
    long = "def f():\n" + "    x = 1\n" * (LIMITS["longest"] + 1)
    assert shape([long])["longest"] == LIMITS["longest"] + 1


def test_names_say_what_a_thing_is() -> None:
    vague = re.compile(r"(?:class|def) \w*(?:Manager|Helper|Util|Handler|Service|Base)\w*\b")
    assert [(p.name, m[0]) for p in SOURCES for m in vague.finditer(p.read_text())] == []


def classes(tree: ast.AST, within: str = "") -> Iterator[str]:
    """Every class of a module; one inside another by both names, `Board.Moved`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield within + node.name
            yield from classes(node, f"{within}{node.name}.")
        else:
            yield from classes(node, within)


def named_twice(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """Classes of one name in several modules, and those modules."""
    homes: dict[str, list[str]] = {}
    for module, text in texts.items():
        for name in classes(ast.parse(text)):
            homes.setdefault(name, []).append(module)
    return {name: found for name, found in homes.items() if len(found) > 1}


def test_a_class_is_the_only_one_of_its_name() -> None:
    assert named_twice({dotted(path): path.read_text() for path in SOURCES}) == {}
    planted = {"a": "class S: ...\nclass A:\n    class Moved: ...", "b": "if x:\n    class S: ..."}
    assert named_twice(planted) == {"S": ["a", "b"]}


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
    from sparkconsole.verbs.grammar.registry import ALONE, GROUPS, MODULES, load

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
    assert "sparkconsole.verbs.serve.start" not in done.stderr
