"""The node view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class NodeView(View):
    """To be written."""

    NAME = "node"
