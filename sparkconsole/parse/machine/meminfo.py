"""/proc/meminfo: total, available and swap, in bytes."""

from __future__ import annotations

import re

from sparkconsole.model.facts import Memory

_LINE = re.compile(r"^(\w+):\s+(\d{1,15}) kB\s*$", re.ASCII)


def parse_meminfo(text: str) -> Memory | None:
    """None without MemTotal and MemAvailable: what is free without the page cache says too little."""
    rows = {m[1]: int(m[2]) * 1024 for line in text.splitlines() if (m := _LINE.match(line))}
    if "MemTotal" not in rows or "MemAvailable" not in rows:
        return None
    return Memory(rows["MemTotal"], rows["MemAvailable"], rows.get("SwapTotal", 0), rows.get("SwapFree", 0))
