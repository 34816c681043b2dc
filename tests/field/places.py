"""Where the field tier keeps what is costly to make, and how it is told what must be there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.conftest import ROOT

ENVIRONMENT: Mapping[str, str] = dict(os.environ)
"""The person's own, before any test gets a home of its own."""
CACHE = Path(ENVIRONMENT.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sparkconsole-field"
INSIDE = "SPARKCONSOLE_FIELD_INSIDE"
"""Set within a fresh root: no further root or interpreter is looked for there."""
REQUIRED = frozenset(ENVIRONMENT.get("SPARKCONSOLE_REQUIRE_FIELD", "").split())
"""What must be there, else a test fails that would skip: `3.12`, `tmux`, `chromium`, `roots`."""


def checkout() -> Iterator[Path]:
    """Every file of the checkout that a clone would have, and new ones, below its root."""
    left_out = {".git", ".venv", "__pycache__", "dist", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in left_out]
        for name in files:
            yield Path(folder, name).relative_to(ROOT)
