"""Programs that a test runs for what it is: where one is missing, the test says which, and is skipped."""

from __future__ import annotations

import shutil

import pytest


def need(*names: str) -> None:
    """Skips the test, or what uses the fixture, where one of them is not on this machine."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {missing[0]} on this machine")
