"""The published pictures are pytest-textual-snapshot's snapshots, kept where the README shows them."""

from __future__ import annotations

from typing import Any

from pytest_textual_snapshot import SVGImageExtension

from tests.conftest import ROOT


def _dirname(cls: Any, *, test_location: Any) -> str:
    return str(ROOT / "screenshots")


def _name(cls: Any, *, test_location: Any, index: Any = 0) -> str:
    """NAME of `screenshots/NAME.svg` is the test's parameter."""
    return str(test_location.nodename).partition("[")[2].rstrip("]")


# They are written when the session ends, so that a fixture would be gone by then; nobody else uses them.
SVGImageExtension.dirname = classmethod(_dirname)
SVGImageExtension.get_snapshot_name = classmethod(_name)
