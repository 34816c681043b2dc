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
    plain, _, zone = address.partition("%")
    try:
        own = ipaddress.ip_address(plain)
        scope = socket.if_nametoindex(zone) if zone and not zone.isdigit() else int(zone or 0)
    except (OSError, ValueError):
        return False
    if own.is_loopback:
        return True
    if own.version == 4:
        return _is_own(socket.AF_INET, (plain, 9))
    return _is_own(socket.AF_INET6, (plain, 9, 0, scope))


def _is_own(family: int, place: tuple[object, ...]) -> bool:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(place)
        except OSError:
            return False
        address = ipaddress.ip_address(str(probe.getsockname()[0]).partition("%")[0])
        return address == ipaddress.ip_address(str(place[0]))


def leads_here(address: str) -> bool:
    """A name that leads to this machine: a reason to ask a person, and for nothing else."""
    try:
        found = socket.getaddrinfo(address, 9, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    return any(is_own_address(str(place[0])) for _, _, _, _, place in found)
