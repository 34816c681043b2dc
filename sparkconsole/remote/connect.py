"""Which shell a node gets: this machine's own when it is one of the nodes, SSH otherwise."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable
from sparkconsole.model.cluster import Node
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Shell


async def connect(node: Node) -> Shell:
    """The connection to a node; Unreachable, UnknownHostKey or ChangedHostKey when there is none."""
    if is_local(node):
        return LocalShell(node.name)
    from sparkconsole.remote.ssh.connection import connect_ssh

    try:
        return await connect_ssh(node)
    except (UnknownHostKey, ChangedHostKey):
        raise
    except Unreachable as error:
        # In a thread: a name has to be looked up.
        if node.port in (None, 22) and await asyncio.to_thread(leads_here, node.address):
            error.hint += f"; if {node.name} is this very machine, say so in cluster.toml: local = true"
        raise


def is_local(node: Node) -> bool:
    """The node is this machine: a person says so, or its address is literally one of this machine's own.

    Never because a name leads here: who answers for names could have our own machine stopped.
    """
    return node.local or (node.port in (None, 22) and is_own_address(node.address))


def is_own_address(address: str) -> bool:
    """A literal address from which the kernel itself would talk to it. Nothing is sent, no name is looked up.

    (Whether one may bind to it says less: with ip_nonlocal_bind every address is free.)
    """
    try:
        own, flags = _literal(address), socket.AI_NUMERICHOST
        if own.is_loopback:
            return True
        family, kind, _, _, place = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM, flags=flags)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(place)
            return _literal(str(probe.getsockname()[0])) == own
    except (OSError, ValueError):
        return False


def _literal(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(address.partition("%")[0])


def leads_here(address: str) -> bool:
    """A name that leads to this machine: a reason to ask a person, and for nothing else."""
    try:
        found = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(is_own_address(str(place[0])) for _, _, _, _, place in found)
