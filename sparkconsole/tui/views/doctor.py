"""The doctor view."""

from __future__ import annotations

from sparkconsole.tui.view import View


class DoctorView(View):
    """To be written."""

    NAME = "doctor"
