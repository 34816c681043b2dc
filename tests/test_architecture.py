"""What is written for those who carry on is true: picture, paths, targets, commands, workflow."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkconsole.verbs.grammar.registry import MODULES
from tests.conftest import ROOT
from tests.verbs.test_hints import wrong_in

GENERATED = {"docs/reference.md"}
FOR_BUILDERS = ("ARCHITECTURE.md", "CONTRIBUTING.md")
GITHUB = sorted(p for p in (ROOT / ".github").rglob("*") if p.is_file())
TEXTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *GITHUB)
    if str(path.relative_to(ROOT)) not in GENERATED
)
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))
USERS = {"cluster.toml", "config.toml"}
"""Files of a person's own."""
A_FILE = re.compile(r"(?:\.?[\w-][\w.*-]*/)+[\w.*-]*|[\w-]+\.(?:py|md|toml|yml|yaml|svg|spark|sh)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def code_in(text: str) -> Iterator[str]:
    """Everything that a text sets as code: its blocks line by line, then what stands between backticks."""
    for block in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.M | re.S):
        yield from (line.split(" #")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S))


def lost_paths(text: str) -> list[str]:
    """Paths that a text names and that are nowhere: neither in the checkout nor in the package."""
    links = re.findall(r"\]\(([^)#:\s]+)\)", text)
    words = [word for word in (*code_in(text), *links) if A_FILE.fullmatch(word)]
    return [word for word in words if word not in USERS and not any(matching(word.rstrip("/")))]


def matching(path: str) -> Iterator[Path]:
    """What a path means, from the root or from the package; a bare name may lie anywhere in the package."""
    yield from ROOT.glob(path)
    yield from (ROOT / "sparkconsole").glob(path if "/" in path else f"**/{path}")


def lost_targets(text: str) -> list[str]:
    """Words behind `make` that the Makefile does not know."""
    said = (re.search(r"(?:^|[\s`])make((?: [\w-]+(?:=\S+)?)*)$", code) for code in code_in(text))
    words = [word for match in said if match for word in match[1].split() if "=" not in word]
    return [word for word in words if word not in TARGETS]


def wrong_commands(text: str) -> list[str]:
    """Commands that a text sets as code and that cannot be typed."""
    wrong = []
    for code in code_in(text):
        for said in re.findall(r"(?:^|(?<=\s))sparkconsole (?!-)(\S+)", code):
            wrong += [said] if said not in MODULES else []
        wrong += wrong_in(code)
    return wrong


def test_the_picture_is_that_of_the_sources() -> None:
    words = (sys.executable, str(ROOT / "tools" / "picture_of_the_house.py"), "-")
    drawn = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, encoding="utf-8")
    kept = (ROOT / "docs" / "house.svg").read_text(encoding="utf-8")
    assert drawn.stdout == kept, "make reference draws docs/house.svg anew"


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_every_make_target_and_command_that_a_text_names_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert lost_targets(text) == []
    assert wrong_commands(text) == []


@pytest.mark.parametrize(
    "name", [*FOR_BUILDERS, *(named(p) for p in sorted((ROOT / "docs" / "design").glob("*.md")))]
)
def test_every_path_that_a_text_for_builders_names_is_there(name: str) -> None:
    assert lost_paths((ROOT / name).read_text(encoding="utf-8")) == []


def test_every_table_that_a_recipe_names_is_in_its_file() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    lost = []
    for path, names in re.findall(r"`([\w/.]+\.py)` \(((?:`\w+`(?:, )?)+)\)", text):
        source = next(at / path for at in (ROOT / "sparkconsole", ROOT) if (at / path).is_file())
        there = source.read_text(encoding="utf-8")
        lost += [f"{path}: {n}" for n in re.findall(r"\w+", names) if not re.search(rf"\b{n}\b", there)]
    assert lost == []


def test_what_is_wrong_in_a_text_is_found() -> None:
    paths = "`fleet/nowhere.py`, `fleet/*.py`, `none.md`, [it](docs/none.md), `~/x/y.toml`, `/x`, `view.py`"
    assert lost_paths(paths) == ["fleet/nowhere.py", "none.md", "docs/none.md"]
    targets = "`N=4 make real`, `make lint fsat`; make of it\n```sh\nmake tset N=4 # x\n```"
    assert lost_targets(targets) == ["tset", "fsat"]
    commands = "`sparkconsole imgae list`, `sparkconsole image list --bad`"
    assert wrong_commands(commands) == ["imgae", "image list --bad"]


def test_every_contract_is_explained() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    contracts = [contract["name"] for contract in PROJECT["tool"]["importlinter"]["contracts"]]
    assert re.findall(r"^\d\. \*\*(.+?)\*\*", text.split("## Three trips")[0], re.M) == contracts


def test_the_workflow_runs_what_is_there() -> None:
    """By its lines, for no reader of YAML is among the tools of this project."""
    text = WORKFLOW.read_text(encoding="utf-8")
    runs = re.findall(r"^ *(?:- )?run: (?!\|)(.+)$", text, re.M)
    for indent, block in re.findall(r"^( *)(?:- )?run: \|\n((?:\1 {2,}.*\n|\n)+)", text, re.M):
        assert indent
        runs += [line.strip() for line in block.splitlines() if line.strip()]
    said = [words for line in runs for words in re.findall(r"\bmake((?: [a-z-]+)+)(?= |$)", line)]
    targets = {word for words in said for word in words.split()}
    assert targets
    assert targets <= TARGETS
    modules = {name for line in runs for name in re.findall(r"python -m ([a-z][\w.]+)", line)}
    assert "tests.field" in modules
    assert all(importlib.util.find_spec(name) for name in modules)
    assert not [line for line in text.splitlines() if "\t" in line]


def test_the_workflow_and_the_package_name_the_same_pythons() -> None:
    matrix = re.search(r"python: \[(.+)\]", WORKFLOW.read_text(encoding="utf-8"))
    assert matrix is not None
    versions = re.findall(r"\d\.\d+", matrix[1])
    said = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if "Python :: 3." in c]
    assert said == versions
    assert f">={versions[0]}" == PROJECT["project"]["requires-python"]
