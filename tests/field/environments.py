"""Environments of any Python with the lowest or the newest versions; uv's cache makes them in seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.field.places import CACHE, ENVIRONMENT
from tools.environment import index_url

UV = Path(sys.executable).parent / "uv"


def make(folder: Path, python: Path, *what: str, resolution: str = "highest") -> Path:
    """Makes an environment in `folder` with `what` in it; its `bin`. AssertionError with what uv said."""
    _uv("venv", "--quiet", "--clear", "--python", str(python), str(folder))
    into = ("--python", str(folder / "bin/python"), "--resolution", resolution)
    _uv("pip", "install", "--quiet", *into, *what)
    return folder / "bin"


def wheel(folder: Path) -> Path:
    """Builds the checkout's wheel into `folder`."""
    words = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def _uv(*words: str) -> None:
    given = {"UV_CACHE_DIR": str(CACHE / "uv"), "UV_DEFAULT_INDEX": index_url(), **ENVIRONMENT}
    done = subprocess.run(
        (UV, *words), cwd=ROOT, env=given, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
