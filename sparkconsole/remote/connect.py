"""Which shell a node gets: this machine's own when it is one of the nodes, SSH otherwise."""

from __future__ import annotations

import asyncio

from sparkconsole.model.cluster import Node
from sparkconsole.remote.local import LocalShell, is_local
from sparkconsole.remote.shell import Shell


async def connect(node: Node) -> Shell:
    """The connection to a node; Unreachable, UnknownHostKey or ChangedHostKey when there is none."""
    # In a thread: a name may have to be looked up, and all nodes are connected to at once.
    if node.port in (None, 22) and await asyncio.to_thread(is_local, node.address):
        return LocalShell(node.name)
    from sparkconsole.remote.ssh import connect_ssh

    return await connect_ssh(node)
