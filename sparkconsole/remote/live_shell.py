"""What the shells of real machines have in common, whatever carries their commands there."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from sparkconsole.remote.docker.host import before_command
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Pipe, Shell


class LiveShell(Shell):
    """A shell whose machine is there; what carries a command to it is each one's own."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.environment: dict[str, str] = {}
        """What every command has beside the login's own, or the console's own here."""
        self.unended: list[tuple[tuple[str, ...], float]] = []
        """What was cancelled or lost and may run on, each with the seconds that it may take (0: any)."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Runs to the end."""
        await before_command(self, argv)
        given = "".join(f"{value}\n" for value in (secrets or {}).values()).encode() + (stdin or b"")
        return await self._answer(argv, given, timeout, tuple(secrets or ()))

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        """Starts a command with its standard input and output in our hands."""
        await before_command(self, argv)
        return await self._pipe(argv)

    def cut(self) -> None:
        """Ends the connection now, whatever is under way over it: who waits for it waits no more."""

    @abstractmethod
    async def _answer(
        self, argv: Sequence[str], given: bytes, timeout: float, secrets: tuple[str, ...]
    ) -> Completed:
        """Runs to the end; `given` is its whole input, and begins with the values of the secrets."""

    @abstractmethod
    async def _pipe(self, argv: Sequence[str]) -> Pipe:
        """Starts a command."""
