#!/usr/bin/env python3
"""What this project is made of besides its own sources.

supply.py lock       requirements-dev.txt: every version that the development environment has, on any system
supply.py licences   docs/licences.md: under which licence each library comes that a user installs
supply.py audit      exit code 1 where a version of the lock has a known vulnerability, 3 where it is unknown
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK, LICENCES = ROOT / "requirements-dev.txt", ROOT / "docs" / "licences.md"
UV = Path(sys.executable).with_name("uv")
NOT_ASKED = 3
_HEAD = """# What `make` installs for development, on every system that we support.
# `make lock` writes it anew from what pyproject.toml asks for; `make LOCK=` does without it.
"""
_PAGE = """# Licences

What `pip install sparkconsole` brings along, as each library says it of itself; `make lock` writes this page.
sparkconsole itself comes under Apache-2.0 (`LICENSE`). Images that it builds have the licences of what is in
them: CUDA and NCCL are NVIDIA's.

| library | licence |
|---|---|
"""


def main(words: list[str]) -> int:
    """The exit code."""
    if words == ["lock"]:
        LOCK.write_text(_HEAD + locked())
    elif words == ["licences"]:
        LICENCES.write_text(_PAGE + "".join(f"| {name} | {licence} |\n" for name, licence in licences()))
    elif words == ["audit"]:
        return audit()
    else:
        print(__doc__)
        return 2
    return 0


def locked() -> str:
    """A line a library, as uv resolves them; where they come from is not written down."""
    asked = (
        UV,
        "pip",
        "compile",
        "pyproject.toml",
        "--extra",
        "dev",
        "--universal",
        "--python-version",
        "3.11",
    )
    quiet = ("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url")
    return subprocess.run((*asked, *quiet), cwd=ROOT, capture_output=True, text=True, check=True).stdout


def libraries(name: str = "sparkconsole") -> Iterator[str]:
    """The installed libraries that a user of it gets too, by name."""
    seen: set[str] = set()
    ahead = [name]
    while ahead:
        asked = (Requirement(line) for line in metadata.requires(ahead.pop()) or ())
        names = {canonicalize_name(r.name) for r in asked if not r.marker or r.marker.evaluate({"extra": ""})}
        ahead += names - seen
        seen |= names
    yield from sorted(seen)


def licences() -> Iterator[tuple[str, str]]:
    """Each library with its licence, by its own metadata."""
    for name in libraries():
        about = metadata.metadata(name)
        classes = (
            c.rpartition(" :: ")[2] for c in about.get_all("Classifier", ()) if c.startswith("License ::")
        )
        short = (about.get("License") or "").strip().split("\n")[0]
        by_class = ", ".join(c for c in classes if c != "OSI Approved")
        yield name, about.get("License-Expression") or by_class or short or "not said"


def audit() -> int:
    """By pip-audit, which asks the Python Packaging Advisory Database; nothing is installed for it here."""
    asked = (UV, "tool", "run", "pip-audit", "--disable-pip", "--no-deps", "--requirement", LOCK)
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    unseen = len(re.findall("could not be audited", done.stdout))
    if re.search(r"Found \d+ known vulnerabilit", done.stderr):
        print(done.stdout.strip())
        return 1
    if done.returncode == 0 and not unseen:
        print("no library of the lock has a known vulnerability")
        return 0
    last = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    why = f"{unseen} of the lock's libraries were not found in its database" if unseen else last[:200]
    print(f"whether a library has a known vulnerability is unknown: {why}")
    return NOT_ASKED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
