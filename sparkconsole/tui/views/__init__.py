"""The views by name; a view's module is imported when the view is first shown."""

from __future__ import annotations

import importlib
from typing import cast

from sparkconsole.tui.keys import GLOBAL, Key
from sparkconsole.tui.view import View

PAGES = {
    "cluster": "ClusterView",
    "node": "NodeView",
    "logs": "LogsView",
    "images": "ImagesView",
    "launch": "LaunchView",
    "serve": "ServeView",
    "bench": "BenchView",
    "doctor": "DoctorView",
    "runs": "RunsView",
    "run": "RunView",
}


def view_class(name: str) -> type[View]:
    """The class of that view."""
    module = importlib.import_module(f"sparkconsole.tui.views.{name}")
    return cast("type[View]", getattr(module, PAGES[name]))


def make(name: str) -> View:
    """A new view of that name."""
    return view_class(name)()


def contexts() -> dict[str, tuple[Key, ...]]:
    """Which keys hold together: the global ones under "", and every view's own."""
    return {"": GLOBAL, **{name: view_class(name).KEYS for name in PAGES}}
