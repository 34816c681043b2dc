"""How a server is reached, for asyncssh, out of a Place: nothing is looked up in any file a second time."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import asyncssh
from asyncssh.kex import get_kex_algs

from sparkconsole.remote.ssh.proxy_command import ProxyCommand
from sparkconsole.remote.ssh_config.place import SshDestination


def proxy_of(there: SshDestination, tunnel: asyncssh.SSHClientConnection | None) -> ProxyCommand | None:
    """The ProxyCommand, started, where the way begins with one."""
    return ProxyCommand(there.proxy) if there.proxy and tunnel is None else None


def route(
    there: SshDestination, tunnel: asyncssh.SSHClientConnection | None, proxy: ProxyCommand | None
) -> dict[str, Any]:
    """Port, tunnel, proxy, family, own address and key exchange, as options of asyncssh."""
    ways: dict[str, Any] = {"port": there.port, "config": None}
    if tunnel is not None:
        ways["tunnel"] = tunnel
    elif proxy is not None:
        ways["sock"] = proxy.socket
    elif family := {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(there.family):
        ways["family"] = family
    if there.bind and tunnel is None and proxy is None:
        ways["local_addr"] = (there.bind, 0)
    if exchanges := both(there.key_exchanges, get_kex_algs()):
        ways["kex_algs"] = exchanges
    return ways


def both(names: Sequence[str], ours: Sequence[bytes]) -> list[str]:
    """What the configuration allows and the library can do."""
    return [name for name in names if name.encode() in ours]
