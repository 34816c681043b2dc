"""The published pictures are pytest-textual-snapshot's snapshots, kept where the README shows them."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_textual_snapshot import SVGImageExtension

from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _published(monkeypatch: pytest.MonkeyPatch) -> None:
    """`screenshots/NAME.svg`, NAME being the test's parameter."""

    def dirname(cls: Any, *, test_location: Any) -> str:
        return str(ROOT / "screenshots")

    def snapshot_name(cls: Any, *, test_location: Any, index: Any = 0) -> str:
        return str(test_location.nodename).partition("[")[2].rstrip("]")

    monkeypatch.setattr(SVGImageExtension, "dirname", classmethod(dirname))
    monkeypatch.setattr(SVGImageExtension, "get_snapshot_name", classmethod(snapshot_name))
