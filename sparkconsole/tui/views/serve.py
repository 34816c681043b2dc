"""The serve view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class ServeView(View):
    """To be written."""

    NAME = "serve"
