"""What remote.node.page_cache prints: /proc/meminfo's rows and the way to root."""

from __future__ import annotations

from sparkconsole.errors import SparkError
from sparkconsole.model.page_cache import MemoryState, RootWay


def parse_standing(text: str, node: str) -> MemoryState:
    """One look; SparkError when it is not what was asked for."""
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        count = {name: int(value.split()[0]) * 1024 for name, value in rows.items() if name != "Way"}
        way = RootWay(rows.get("Way", "none").strip())
        cached = count["Cached"] + count["Buffers"]
        return MemoryState(count["MemTotal"], count["MemFree"], count["MemAvailable"], cached, way)
    except (KeyError, ValueError, IndexError) as error:
        raise SparkError("its /proc/meminfo is not understood", node=node) from error
