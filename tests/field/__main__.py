"""`python -m tests.field oldest|newest|beyond PYTEST-OPTIONS…`: tests on other Pythons; pytest's exit code.

`oldest` has the lowest versions, `newest` the newest; `beyond` is newest, unless a fresh root has that one.
"""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT
from tests.field import environments, interpreters
from tests.field.places import CACHE, ENVIRONMENT
from tests.field.roots import SUITES


def main(which: str, options: list[str]) -> int:
    """Makes the environment anew and runs pytest in it."""
    there = interpreters.found()
    version = min(there, key=numbers) if which == "oldest" else max(there, key=numbers)
    if which == "beyond" and version in SUITES.values():
        print(f"Python {version} has its turn in a fresh root, by `make test` there", flush=True)
        return 0
    resolution = "lowest-direct" if which == "oldest" else "highest"
    print(f"Python {version} ({there[version]}), {resolution} versions", flush=True)
    place = CACHE / f"environment-{which}"
    programs = environments.make(place, there[version], "--editable", ".[dev]", resolution=resolution)
    given = {**ENVIRONMENT, "PATH": f"{programs}:{ENVIRONMENT['PATH']}"}
    return subprocess.run((programs / "pytest", *options), cwd=ROOT, env=given, check=False).returncode


def numbers(version: str) -> tuple[int, ...]:
    """`3.11` is newer than `3.9`."""
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
