"""Looks at a node as earlier lines of a script would leave it: today's answers with their effects on them.

Every reader of what a plan can change asks here first. What cannot be told before it is there is an error,
never an answer about the state of now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkconsole.errors import SparkError
from sparkconsole.model.foresight.forecast import NodeForecast
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Endpoint, Pipe, Shell


class NotBefore(SparkError):
    """What is asked is known only once the lines before have run."""


class ForeseenShell:
    """A Shell that knows what will have changed; it looks and is never given anything to do."""

    def __init__(self, now: Shell, then: NodeForecast) -> None:
        self.now, self.then, self.node = now, then, now.node

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """As the node answers now; NotBefore for what is in a container that is not there yet."""
        self._require_there(argv)
        return await self.now.run(argv, stdin=stdin, timeout=timeout, secrets=secrets)

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        """As the node answers now."""
        self._require_there(argv)
        return await self.now.pipe(argv)

    async def open_socket(self, target: str) -> Endpoint:
        """A socket of the node; NotBefore for a server that is not there yet."""
        port = target.rpartition(":")[2]
        if port.isdecimal() and (self.then.server(int(port)) is not True):
            raise NotBefore(f"what port {port} answers is known once it is there", node=self.node)
        return await self.now.open_socket(target)

    async def aclose(self) -> None:
        """The connection is somebody else's."""

    def _require_there(self, argv: Sequence[str]) -> None:
        words = tuple(argv)
        inside = words[:2] == ("docker", "exec")
        if inside and (self.then.rebooted or self.then.renewed.intersection(words)):
            raise NotBefore(
                "what is in its container is known once that runs",
                hint="run the lines before this one, then plan it again",
                node=self.node,
            )


def now_on(shell: Shell) -> Shell:
    """The shell itself, for what is asked of now although something will have changed."""
    return shell.now if isinstance(shell, ForeseenShell) else shell


def then_on(shell: Shell) -> NodeForecast:
    """What will have changed on the shell's node; nothing, where it looks at what is."""
    return shell.then if isinstance(shell, ForeseenShell) else NodeForecast(shell.node)
