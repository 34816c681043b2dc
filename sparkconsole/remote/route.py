"""How a server is reached, for asyncssh, out of a Place: nothing is looked up in any file a second time."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import asyncssh
from asyncssh.kex import get_kex_algs

from sparkconsole.remote.place import Place


def route(there: Place, tunnel: asyncssh.SSHClientConnection | None) -> dict[str, Any]:
    """Port, tunnel, proxy, family, own address and key exchange, as options of asyncssh."""
    ways: dict[str, Any] = {"port": there.port, "config": None}
    if tunnel is not None:
        ways["tunnel"] = tunnel
    elif there.proxy:
        # The library would take what the command says to a person for the server's, and an end of that output
        # for the end of the connection: it stays open, and nothing is written to it.
        ways["proxy_command"] = ["/bin/sh", "-c", f"exec 9>&2 2>/dev/null; exec {there.proxy}"]
    if family := {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(there.family):
        ways["family"] = family
    if there.bind:
        ways["local_addr"] = (there.bind, 0)
    if exchanges := both(there.key_exchanges, get_kex_algs()):
        ways["kex_algs"] = exchanges
    return ways


def both(names: Sequence[str], ours: Sequence[bytes]) -> list[str]:
    """What the configuration allows and the library can do."""
    return [name for name in names if name.encode() in ours]
