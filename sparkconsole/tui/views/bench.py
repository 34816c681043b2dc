"""The bench view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class BenchView(View):
    """To be written."""

    NAME = "bench"
