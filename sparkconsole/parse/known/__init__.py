"""Everything that logs are known to say, in the order in which it is tried: the first that fits wins.

Each entry has its own example, and a test holds that the example is found by its entry and by no other.
"""

from __future__ import annotations

from dataclasses import replace

from sparkconsole.model.logs.diagnosis import LineKind
from sparkconsole.parse.known.build import BUILD
from sparkconsole.parse.known.docker import DOCKER
from sparkconsole.parse.known.fabric import FABRIC
from sparkconsole.parse.known.harmless import HARMLESS
from sparkconsole.parse.known.known import During, KnownCause, NumberMeaning
from sparkconsole.parse.known.machine import MACHINE
from sparkconsole.parse.known.oom import OOM
from sparkconsole.parse.known.power import POWER
from sparkconsole.parse.known.process import PROCESS
from sparkconsole.parse.known.serving.engine import ENGINE
from sparkconsole.parse.known.serving.hub import HUB
from sparkconsole.parse.known.serving.kernels import KERNELS
from sparkconsole.parse.known.serving.model_files import MODEL_FILES
from sparkconsole.parse.known.serving.ranks import RANKS
from sparkconsole.parse.known.serving.ray import RAY
from sparkconsole.parse.known.serving.requests import ANSWERS, REQUESTS
from sparkconsole.parse.known.tried_first import SPECIFIC

_TABLES = (
    SPECIFIC, OOM, POWER, REQUESTS, MACHINE, RAY, DOCKER, BUILD, FABRIC, MODEL_FILES, HUB, PROCESS, ENGINE,
    KERNELS, RANKS, ANSWERS, HARMLESS,
)  # fmt: skip

KNOWN: tuple[KnownCause, ...] = tuple(
    sorted(
        (replace(entry, id=name) for table in _TABLES for name, entry in table.items()),
        key=lambda k: (k.kind is not LineKind.HARMLESS, k.kind in (LineKind.CONSEQUENCE, LineKind.END)),
    )
)
"""What is harmless is looked for first, causes before what only follows from them."""

__all__ = ["KNOWN", "During", "KnownCause", "NumberMeaning"]
