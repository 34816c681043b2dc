"""`Shell` is the seam to a machine: argv lists in, answers and pipes out. Backends: ssh, local, replay.

Quoting happens in `shlex.join`, and in ssh/framing.py for shells of every kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sparkconsole.clock import Allowance
from sparkconsole.errors import CommandFailed, SparkError, TooMuch, Unreachable, WrongUsage, in_short

DEFAULT_TIMEOUT_S = 30.0


MOST_BYTES, MOST_LINES = 16 << 20, 200_000
"""What one answer may have, output and errors together: far more than any command of ours says."""


class AnswerMeter:
    """What came of one answer so far; of what has no end, as much may come again in `refilled_s`."""

    def __init__(self, most_lines: int | None = None, refilled_s: float = math.inf) -> None:
        now, lines = time.monotonic(), MOST_LINES if most_lines is None else most_lines
        self._bytes = Allowance(MOST_BYTES, MOST_BYTES / refilled_s, now)
        self._lines = Allowance(lines, lines / refilled_s, now)

    def fits(self, chunk: bytes) -> bool:
        """Counts a piece; False when the answer has become too long with it."""
        now = time.monotonic()
        return self._bytes.takes(len(chunk), now) and self._lines.takes(chunk.count(b"\n"), now)


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended. `status` None: the connection was lost before its end (never success)."""

    node: str
    argv: tuple[str, ...]
    status: int | None
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def ok(self) -> bool:
        """It ended with status 0."""
        return self.status == 0

    @property
    def killed(self) -> bool:
        """A signal ended it, so that it could not say what it had done."""
        return self.status is not None and self.status < 0

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are shown as replacement characters."""
        return self.stdout.decode("utf-8", "replace")

    @property
    def error_text(self) -> str:
        """Standard error as text."""
        return self.stderr.decode("utf-8", "replace")

    def checked(self, hint: str = "") -> Completed:
        """Itself when it succeeded; Unreachable when its end was not seen, CommandFailed otherwise."""
        if self.status is None:
            cause = f"the connection was lost, and how {in_short(self.argv)} ended was not seen"
            raise Unreachable(cause, hint=hint, node=self.node)
        if not self.ok:
            raise CommandFailed(
                self.argv, self.status, self.error_text or self.text, hint=hint, node=self.node
            )
        return self


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where on *this* machine a forwarded socket of a node is reached: a Unix path, or host and port."""

    path: str = ""
    host: str = ""
    port: int = 0


class Pipe(Protocol):
    """A running command with both ends open."""

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes of standard output; empty at its end."""

    async def write(self, data: bytes) -> None:
        """Feeds standard input, waiting while the far side is slow."""

    async def close_input(self) -> None:
        """Ends standard input."""

    async def wait(self) -> Completed:
        """The end of the command; `stdout` is empty (it was read), `stderr` is kept (last 64 KiB)."""

    async def kill(self) -> None:
        """Ends the command if it still runs."""


@runtime_checkable
class Shell(Protocol):
    """One machine, one connection. Raises Unreachable when the connection is lost, TimedOut on time-outs."""

    node: str

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Runs to the end; `secrets` become environment variables of the command and never enter argv.

        TooMuch when it says more than an answer may have: it is ended then.
        """

    async def pipe(self, argv: Sequence[str]) -> Pipe:
        """Starts a command with its standard input and output in our hands."""

    async def open_socket(self, target: str) -> Endpoint:
        """Forwards a socket of the node: `/path` of a Unix socket, or `host:port`. Cached per target."""

    async def aclose(self) -> None:
        """Closes the connection and every forwarded socket."""


def exports_from_input(secrets: Sequence[str]) -> str:
    """For `sh`, before a command: the values of `secrets` are read from standard input, a line each, so that
    they never stand in a process list."""
    return "".join(f"IFS= read -r {name} && export {name} && " for name in secrets)


def checked_argv(argv: Sequence[str]) -> tuple[str, ...]:
    """The words, when a machine can be given them; WrongUsage otherwise."""
    for word in argv:
        try:
            known = b"\0" not in word.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            known = False
        if not known:
            raise WrongUsage(f"{word[:80]!r} cannot be a word of a command", hint="leave out what is no text")
    return tuple(argv)


async def end_pipe(pipe: Pipe, within_s: float) -> None:
    """Its input ends, and so does it with all that it started; what does not is killed."""
    with contextlib.suppress(SparkError, OSError, TimeoutError):
        await pipe.close_input()
        async with asyncio.timeout(within_s):
            while await pipe.read():
                pass
            await pipe.wait()
            return
    with contextlib.suppress(SparkError, OSError):
        await pipe.kill()


def too_much(argv: Sequence[str], node: str) -> TooMuch:
    """A command said more than its answer may have."""
    most = f"{MOST_BYTES / (1 << 20):g} MiB or {MOST_LINES} lines"
    return TooMuch(
        f"{in_short(argv)} says too much and was ended: more than {most}",
        hint="let it write into a file there, or say less",
        node=node,
    )
