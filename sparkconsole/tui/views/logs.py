"""The logs view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class LogsView(View):
    """To be written."""

    NAME = "logs"
