"""The Pythons of this machine: on PATH, pyenv's and uv's."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.field.places import ENVIRONMENT, INSIDE, REQUIRED

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
BEGIN = (
    "import sys; assert sys.version_info.releaselevel == 'final'; print('%d.%d.%d' % sys.version_info[:3])"
)


def own_version() -> str:
    """Of the Python that runs these tests."""
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


@functools.cache
def found() -> dict[str, Path]:
    """Each version of VERSIONS that there is here, by its newest interpreter; within a root its own alone."""
    if INSIDE in ENVIRONMENT:
        return {own_version(): Path(sys.executable)}
    there: dict[str, Path] = {}
    for version in VERSIONS:
        if (best := _newest(version)) is not None:
            there[version] = best
    return there


def tried() -> tuple[str, ...]:
    """The versions that are tried: what there is, and what must be there."""
    wanted = REQUIRED if INSIDE not in ENVIRONMENT else frozenset[str]()
    return tuple(version for version in VERSIONS if version in found() or version in wanted)


def _newest(version: str) -> Path | None:
    """A name alone proves nothing: a shim may lead nowhere."""
    working = {path: told for path in _candidates(version) if (told := _version(path)) is not None}
    return max(working, key=lambda path: working[path], default=None)


def _candidates(version: str) -> set[Path]:
    home = Path(ENVIRONMENT.get("HOME", "/"))
    name = f"python{version}"
    pyenv = Path(ENVIRONMENT.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(ENVIRONMENT.get("XDG_DATA_HOME") or home / ".local/share") / "uv/python"
    folders = [Path(folder) for folder in ENVIRONMENT.get("PATH", "").split(os.pathsep) if folder]
    places = [folder / name for folder in folders if folder != pyenv / "shims"]
    places += [*pyenv.glob(f"versions/*/bin/{name}"), *uv.glob(f"cpython-*/bin/{name}")]
    return {place.resolve() for place in places if place.exists()}


def _version(path: Path) -> tuple[int, ...] | None:
    done = subprocess.run((path, "-c", BEGIN), capture_output=True, text=True, timeout=30, check=False)
    match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\n", done.stdout)
    return tuple(int(n) for n in match.groups()) if match and done.returncode == 0 else None
