"""A pretend Spark's memory beside what the model takes: page cache, which fills and can be dropped."""

from __future__ import annotations

import math

from sparkconsole.demo.spark.machine import TOTAL_BYTES, Machine

SWAP = 16 << 30
_CACHED, _FILLS_S = 28_000_000_000, 900.0
_KEPT = 300_000_000
"""Of the cache: what is in use and stays."""


def cached(machine: Machine) -> int:
    """Bytes of page cache now."""
    most = min(_CACHED, machine.available() // 2)
    filled = 1.0 - math.exp(-(machine.clock.monotonic() - machine.dropped) / _FILLS_S)
    return int(_KEPT + max(0, most - _KEPT) * filled)


def standing(machine: Machine, image: str) -> str:
    """As remote.node.page_cache looks: its login may use sudo."""
    rows = {
        "MemTotal": TOTAL_BYTES,
        "MemFree": machine.available() - cached(machine),
        "MemAvailable": machine.available(),
        "Buffers": 0,
        "Cached": cached(machine),
    }
    lines = [f"{name}: {value // 1024} kB" for name, value in rows.items()]
    return "\n".join([*lines, *(["Way: sudo"] if image else []), ""])
