"""Rows of /proc: memory, the page cache with the way to give it back, ports that somebody listens on."""

from __future__ import annotations

import re

from sparkconsole.errors import SparkError
from sparkconsole.model.facts import Memory
from sparkconsole.model.page_cache import MemoryState, RootWay
from sparkconsole.parse.machine.numbers import whole

_LINE = re.compile(r"^(\w+):\s+(\d{1,15}) kB\s*$", re.ASCII)


def parse_meminfo(text: str) -> Memory | None:
    """None without MemTotal and MemAvailable: what is free without the page cache says too little."""
    rows = {m[1]: int(m[2]) * 1024 for line in text.splitlines() if (m := _LINE.match(line))}
    if "MemTotal" not in rows or "MemAvailable" not in rows:
        return None
    return Memory(rows["MemTotal"], rows["MemAvailable"], rows.get("SwapTotal", 0), rows.get("SwapFree", 0))


def parse_memory_state(text: str, node: str) -> MemoryState:
    """One look; SparkError when it is not what was asked for."""
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    try:
        count = {name: int(value.split()[0]) * 1024 for name, value in rows.items() if name != "Way"}
        way = RootWay(rows.get("Way", "none").strip())
        cached = count["Cached"] + count["Buffers"]
        return MemoryState(count["MemTotal"], count["MemFree"], count["MemAvailable"], cached, way)
    except (KeyError, ValueError, IndexError) as error:
        raise SparkError("its /proc/meminfo is not understood", node=node) from error


def parse_listening(text: str) -> frozenset[int]:
    """The ports; other words are passed over."""
    ports = (whole(word, 16) for word in text.split())
    return frozenset(port for port in ports if port is not None and port < 65536)
