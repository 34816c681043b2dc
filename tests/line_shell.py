"""A connection that can be cut and whose commands are answered by a function; what nobody asks for fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sparkconsole.errors import Unreachable
from sparkconsole.remote.shell import Completed, Endpoint, Pipe


class LineShell:
    """See `remote.shell.Shell`; `cut` makes every command Unreachable."""

    def __init__(self, node: str) -> None:
        self.node, self.cut, self.closed_by_us = node, False, False

    def answer(self, argv: tuple[str, ...]) -> str:
        """What a command prints; it always succeeds."""
        return ""

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 30,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        if self.cut:
            raise Unreachable("the connection was lost", node=self.node)
        return Completed(self.node, tuple(argv), 0, self.answer(tuple(argv)).encode())

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        raise AssertionError(f"nobody asked for a pipe of {argv}")

    async def open_socket(self, target: str) -> Endpoint:
        raise AssertionError(f"nobody asked for {target}")

    async def aclose(self) -> None:
        self.closed_by_us = True
