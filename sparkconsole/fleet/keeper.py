"""A keeper holds the one connection of one node and makes it again when it was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.clock import Clock
from sparkconsole.model.cluster import Node
from sparkconsole.remote.shell import Shell

Connect = Callable[[Node], Awaitable[Shell]]
"""Makes the connection to a node; Unreachable (or one of its kinds) when it cannot."""


class Keeper:
    """`shell()` is the connection; `lost()` says that it broke, so that the next `shell()` makes a new one."""

    def __init__(self, node: Node, connect: Connect, clock: Clock) -> None:
        self.node, self._connect, self._clock = node, connect, clock
        self._shell: Shell | None = None
        self._refusal: Unreachable | None = None
        self._lock = asyncio.Lock()

    async def shell(self) -> Shell:
        """The connection. A node that could not be reached is asked once a session, not once a question."""
        async with self._lock:
            if self._refusal is not None:
                raise self._refusal
            if self._shell is None:
                try:
                    self._shell = await self._connect(self.node)
                except Unreachable as error:
                    error.node = self.node.name
                    self._refusal = error
                    raise
            return self._shell

    def lost(self) -> None:
        """Forgets a broken connection, and an earlier refusal."""
        self._shell, self._refusal = None, None

    async def aclose(self) -> None:
        """Closes the connection; what runs detached on the node goes on."""
        shell, self._shell = self._shell, None
        if shell is not None:
            await shell.aclose()
