"""The images view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class ImagesView(View):
    """To be written."""

    NAME = "images"
