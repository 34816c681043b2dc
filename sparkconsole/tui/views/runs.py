"""The runs view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class RunsView(View):
    """To be written."""

    NAME = "runs"
