"""`ip -j addr`, else `ip -o addr`: interfaces with their IPv4 addresses; `name@ifN` is `name`."""

from __future__ import annotations

import json
import re
from typing import Any

from sparkconsole.model.fabric import Netdev

_ONELINE = re.compile(r"^\d+:\s+(\S+?)(?:@\S+)?\s+inet\s+(\d+\.\d+\.\d+\.\d+/\d+)")


def parse_ip_addr(text: str) -> tuple[Netdev, ...]:
    """The interfaces; nothing for text that is neither."""
    return _from_json(text) if text.lstrip().startswith("[") else _from_lines(text)


def _from_json(text: str) -> tuple[Netdev, ...]:
    try:
        rows: list[dict[str, Any]] = json.loads(text)
    except ValueError:
        return ()
    return tuple(
        Netdev(
            str(row["ifname"]).split("@")[0],
            tuple(
                f"{a['local']}/{a['prefixlen']}"
                for a in row.get("addr_info", ())
                if a.get("family") == "inet"
            ),
            mtu=row.get("mtu"),
            up="LOWER_UP" in row.get("flags", ()),
        )
        for row in rows
        if isinstance(row, dict) and row.get("ifname")
    )


def _from_lines(text: str) -> tuple[Netdev, ...]:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if match := _ONELINE.match(line):
            found[match[1]] = (*found.get(match[1], ()), match[2])
    return tuple(Netdev(name, addresses) for name, addresses in found.items())
