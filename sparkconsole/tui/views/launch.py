"""The launch view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class LaunchView(View):
    """To be written."""

    NAME = "launch"
