"""Everything that logs are known to say, in the order in which it is tried: the first that fits wins.

Each entry has its own example, and a test holds that the example is found by its entry and by no other.
"""

from __future__ import annotations

from sparkconsole.model.diagnosis import Kind
from sparkconsole.parse.known.engine import ENGINE
from sparkconsole.parse.known.fabric import FABRIC
from sparkconsole.parse.known.hub import HUB
from sparkconsole.parse.known.known import Known
from sparkconsole.parse.known.machine import MACHINE

_EVERY = (*MACHINE, *FABRIC, *HUB, *ENGINE)

KNOWN: tuple[Known, ...] = tuple(
    sorted(_EVERY, key=lambda k: (k.kind is not Kind.HARMLESS, k.kind in (Kind.CONSEQUENCE, Kind.END)))
)
"""What is harmless is looked for first, causes before what only follows from them."""

__all__ = ["KNOWN", "Known"]
