"""Which shell a node gets: this machine's own when it is one of the nodes, SSH otherwise."""

from __future__ import annotations

import asyncio

from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable
from sparkconsole.model.cluster import Node
from sparkconsole.remote.local import LocalShell, is_local, leads_here
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
