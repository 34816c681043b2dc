"""TCP ports somebody listens on, as /proc/net/tcp has them: hexadecimal, one a line."""

from __future__ import annotations

from sparkconsole.parse.machine.numbers import whole


def parse_listening(text: str) -> frozenset[int]:
    """The ports; other words are passed over."""
    ports = (whole(word, 16) for word in text.split())
    return frozenset(port for port in ports if port is not None and port < 65536)
