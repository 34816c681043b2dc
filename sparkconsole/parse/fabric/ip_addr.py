"""`ip -j addr`, else `ip -o addr`: interfaces with their IPv4 addresses; `name@ifN` is `name`."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from sparkconsole.model.fabric.links import Netdev
from sparkconsole.parse.values import as_list, json_value

_ONELINE = re.compile(r"^\d+:\s+(\S+)\s+inet6?\s+(\S+)")


def parse_ip_addr(text: str) -> tuple[Netdev, ...]:
    """The interfaces; nothing for text that is neither."""
    return _from_json(text) if text.lstrip().startswith("[") else _from_lines(text)


def _from_json(text: str) -> tuple[Netdev, ...]:
    try:
        rows = json_value(text)
    except ValueError:
        return ()
    return tuple(_netdev(row) for row in rows if isinstance(row, dict) and row.get("ifname"))


def _netdev(row: dict[str, Any]) -> Netdev:
    mtu, flags = row.get("mtu"), row.get("flags")
    found = (a for a in as_list(row.get("addr_info")) if isinstance(a, dict) and a.get("family") == "inet")
    addresses = (f"{a.get('local')}/{a.get('prefixlen')}" for a in found)
    return Netdev(
        str(row["ifname"]).split("@")[0],
        tuple(a for a in addresses if _is_address(a)),
        mtu=mtu if isinstance(mtu, int) else None,
        up="LOWER_UP" in flags if isinstance(flags, list) else None,
    )


def _from_lines(text: str) -> tuple[Netdev, ...]:
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        if match := _ONELINE.match(line):
            name = match[1].partition("@")[0]
            found[name] = (*found.get(name, ()), *((match[2],) if _is_address(match[2]) else ()))
    return tuple(Netdev(name, addresses) for name, addresses in found.items())


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Interface(text)
    except ValueError:
        return False
    return True
