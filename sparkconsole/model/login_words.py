"""A machine as people write it: `[user@]host[:port]`, `[v6]:port`, `ssh://…`; and what can be none."""

from __future__ import annotations

import re

_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f*?!,'\"`$\\;&|<>(){}]")


def login_words(text: str) -> tuple[str, str, int | None]:
    """User, host and port; empty, or None, where nothing was said. A bare IPv6 address has no port."""
    user, _, rest = text.removeprefix("ssh://").rstrip("/").rpartition("@")
    if (found := re.fullmatch(r"\[([^\]]*)\](?::(\d{1,5}))?", rest)) is not None:
        return user, found[1], int(found[2]) if found[2] else None
    host, colon, port = rest.rpartition(":")
    if colon and port.isdigit() and len(port) <= 5 and ":" not in host:
        return user, host, int(port)
    return user, rest, None


def with_port(host: str, port: int) -> str:
    """The same again, in one word."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address(value: str) -> str:
    """`value` when it can be a machine's address; ValueError otherwise."""
    if value.startswith("-") or _FORBIDDEN.search(value):
        raise ValueError("an address is a host name, an IP address or a Host of ~/.ssh/config")
    return value


def login(value: str) -> str:
    """`value` when it can be a login; ValueError otherwise."""
    if not value or value.startswith("-") or re.search(r"[\s\x00-\x1f\x7f'\"`;&|<>(){}:]", value):
        raise ValueError("a login begins with no '-' and has no spaces, quotes or brackets")
    return value
