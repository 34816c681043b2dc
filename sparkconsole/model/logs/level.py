"""How bad a line of a log is."""

from __future__ import annotations

from enum import IntEnum


class Level(IntEnum):
    """In the order of its gravity."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3
