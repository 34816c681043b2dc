"""The cluster view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class ClusterView(View):
    """To be written."""

    NAME = "cluster"
