"""The views by name; a view's module is imported when the view is first shown."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

from sparkconsole.tui.keyboard.keys import GLOBAL, VIEWS, Key
from sparkconsole.tui.view import View

PAGES = {
    **{name: f"{name}.view.{name.title()}View" for name in ("cluster", "node", *VIEWS[1:])},
    "run": "runs.run_page.RunView",
}
"""Each view's class, below this folder."""


def view_class(name: str) -> type[View]:
    """The class of that view."""
    module, _, kind = PAGES[name].rpartition(".")
    return cast("type[View]", getattr(importlib.import_module(f"sparkconsole.tui.views.{module}"), kind))


def make(name: str) -> View:
    """A new view of that name."""
    return view_class(name)()


async def show_logs(view: View, nodes: Sequence[str], source: str = "all") -> None:
    """Goes from that view to the logs, of these nodes only; none: of all."""
    from sparkconsole.tui.views.logs.view import LogsView

    await view.app.switch_mode("logs")
    if isinstance(logs := view.console.view, LogsView):
        await logs.show_nodes(nodes, source)


def contexts() -> dict[str, tuple[Key, ...]]:
    """Which keys hold together: the global ones under "", and every view's own."""
    return {"": GLOBAL, **{name: view_class(name).KEYS for name in PAGES}}
