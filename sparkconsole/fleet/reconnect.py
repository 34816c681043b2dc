"""A keeper holds the one connection of one node and makes it again when it was lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator

from sparkconsole.clock import Clock, cancelled
from sparkconsole.errors import ChangedHostKey, SparkError, UnknownHostKey, Unreachable
from sparkconsole.fleet.journal.journal import this_console
from sparkconsole.model.cluster import Node
from sparkconsole.remote.checkpoint.hf_cache import keep_hub_at
from sparkconsole.remote.docker.host import keep_docker_host_at
from sparkconsole.remote.live_shell import LiveShell
from sparkconsole.remote.node.marks import keep_console_at
from sparkconsole.remote.shell import Shell

Connect = Callable[[Node], Awaitable[Shell]]
"""Makes the connection to a node; Unreachable (or one of its kinds) when it cannot."""

LONGEST_PAUSE_S = 30.0
_PROBE_TIMEOUT_S = 5.0


def pauses(jitter: Callable[[], float]) -> Iterator[float]:
    """Seconds between attempts, for ever: 1, 2, 4 … 30, each up to a fifth shorter (`jitter` in 0…1).

    Many consoles and many nodes that lost each other at once do not come back at once.
    """
    pause = 1.0
    while True:
        yield pause * (1 - 0.2 * jitter())
        pause = min(2 * pause, LONGEST_PAUSE_S)


class Keeper:
    """`shell()` is the connection; `lost()` says that it broke; `reconnected()` waits for the next one."""

    def __init__(
        self, node: Node, connect: Connect, clock: Clock, jitter: Callable[[], float] = random.random
    ) -> None:
        self.node, self._connect, self._clock, self._jitter = node, connect, clock, jitter
        self._shell: Shell | None = None
        self._refusal: Unreachable | None = None
        self._lock = asyncio.Lock()
        self._broken: list[Shell] = []
        self._closing: list[Shell] = []
        self._unended: list[tuple[tuple[str, ...], float]] = []
        self._retrying: asyncio.Task[Shell] | None = None
        self._waiting = 0
        self._next_attempt_at: float | None = None

    @property
    def next_attempt_s(self) -> float | None:
        """In how many seconds the next attempt is made; None while none is planned."""
        if self._next_attempt_at is None:
            return None
        return max(0.0, self._next_attempt_at - self._clock.monotonic())

    async def shell(self) -> Shell:
        """The connection. A node that could not be reached is asked once a session, not once a question."""
        async with self._lock:
            if self._refusal is not None:
                raise self._refusal
            return await self._made()

    def lost(self, shell: Shell | None = None) -> None:
        """Forgets a broken connection and a refusal; of `shell` only when it is still the current one."""
        if shell is not None and shell is not self._shell:
            return
        if self._shell is not None:
            self._broken.append(self._shell)
        self._shell, self._refusal = None, None

    def forgive(self) -> None:
        """Forgets a refusal, so that the next `shell()` tries again; a connection is kept."""
        self._refusal = None

    async def reconnected(self, deadline_s: float) -> Shell:
        """The connection, made again as often as it takes; Unreachable when `deadline_s` passed without one.

        A node refused for its host key is not tried again. Several who wait share the attempts.
        """
        if self._retrying is None:
            self._retrying = asyncio.create_task(self._retried())
        retrying = self._retrying
        self._waiting += 1
        timer = asyncio.create_task(self._clock.sleep(deadline_s))
        try:
            await asyncio.wait({retrying, timer}, return_when=asyncio.FIRST_COMPLETED)
            if retrying.done():
                return retrying.result()
            raise self._gave_up(deadline_s)
        finally:
            timer.cancel()
            self._waiting -= 1
            # Without anybody waiting no attempt goes on; who asks after an end begins anew.
            if self._retrying is retrying and (retrying.done() or self._waiting == 0):
                self._retrying, self._next_attempt_at = None, None
                await cancelled((retrying,))

    def take_unended(self) -> list[tuple[tuple[str, ...], float]]:
        """Its commands that nobody saw end and may run on, each with the seconds that it may take; once."""
        for shell in (self._shell, *self._broken):
            self._keep_unended(shell)
        taken, self._unended = self._unended, []
        return taken

    def _keep_unended(self, shell: Shell | None) -> None:
        if isinstance(shell, LiveShell):
            self._unended += shell.unended
            shell.unended = []

    def cut(self) -> None:
        """Ends the connection now, and the attempts to make one."""
        if self._retrying is not None:
            self._retrying.cancel()
        for shell in (self._shell, *self._broken, *self._closing):
            if isinstance(shell, LiveShell):
                shell.cut()

    async def aclose(self) -> None:
        """Closes the connection; what runs detached on the node goes on."""
        if self._retrying is not None:
            self._retrying.cancel()
        self.lost()
        await self._close_broken()

    async def _made(self) -> Shell:
        """The connection, by one attempt when there is none or when it says itself that it is closed."""
        if getattr(self._shell, "closed", False):
            self.lost()
        await self._close_broken()
        if self._shell is None:
            try:
                self._shell = await self._connect(self.node)
                keep_hub_at(self._shell, self.node.hf_cache)
                keep_docker_host_at(self._shell, self.node.docker_host)
                keep_console_at(self._shell, this_console())
            except Unreachable as error:
                error.node = self.node.name
                self._refusal = error
                raise
            self._refusal = None
        return self._shell

    async def _retried(self) -> Shell:
        for pause in pauses(self._jitter):
            try:
                async with self._lock:
                    await self._doubted()
                    return await self._made()
            except (UnknownHostKey, ChangedHostKey):
                raise
            except Unreachable:
                self._next_attempt_at = self._clock.monotonic() + pause
                await self._clock.sleep(pause)
                self._next_attempt_at = None
        raise AssertionError("pauses never end")

    async def _doubted(self) -> None:
        """Keeps a connection that answers: another hand may have made it again already."""
        try:
            if self._shell is not None:
                (await self._shell.run(("true",), timeout=_PROBE_TIMEOUT_S)).checked()
        except SparkError:
            self.lost()

    async def _close_broken(self) -> None:
        """A broken connection still holds forwarded sockets here; its errors change nothing any more."""
        while self._broken:
            self._keep_unended(shell := self._broken.pop())
            self._closing.append(shell)  # it may not close before it is cut
            await asyncio.gather(shell.aclose(), return_exceptions=True)
            self._closing.remove(shell)

    def _gave_up(self, deadline_s: float) -> Unreachable:
        why, hint = (f": {self._refusal.cause}", self._refusal.hint) if self._refusal else ("", "")
        hint = hint or "what runs on it is unknown; try again later"
        return Unreachable(f"no connection within {deadline_s:.0f} s{why}", hint=hint, node=self.node.name)
