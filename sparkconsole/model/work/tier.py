"""How much asking an action needs, from nothing to a word that has to be typed."""

from __future__ import annotations

from enum import IntEnum


class Tier(IntEnum):
    """How much asking an action needs."""

    LOOK = 0
    """Changes nothing on any machine."""
    RECOVERABLE = 1
    """Start, build, copy: `--yes` or a click."""
    COSTLY = 2
    """Ends requests in flight, removes images, reboots: the word has to be typed, `--yes=WORD`."""


WORDS = ("prune", "reboot", "stop")
"""What costly plans ask for; any other word agrees to nothing."""
