"""What the project is made of is written down: versions for development, and licences."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
USED = PROJECT["dependencies"]
DEVELOPED_WITH = PROJECT["optional-dependencies"]["dev"]


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements-dev.txt").read_text().splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][\w.]*( ; .+)?", line) for line in entries)
    return {name: version.partition(" ;")[0] for name, _, version in (e.partition("==") for e in entries)}


@pytest.mark.parametrize("asked", [*USED, *DEVELOPED_WITH])
def test_the_lock_names_a_version_that_the_project_asks_for(asked: str) -> None:
    wanted = Requirement(asked)
    assert wanted.specifier.contains(locked()[canonicalize_name(wanted.name)])


@pytest.mark.parametrize("asked", USED)
def test_every_library_of_a_user_is_listed_with_its_licence(asked: str) -> None:
    rows = dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+) \|$", (ROOT / "docs/licences.md").read_text(), re.M))
    assert rows[canonicalize_name(Requirement(asked).name)] != "not said"
    assert set(rows) - {"library"} <= set(locked())
