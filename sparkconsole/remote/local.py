"""The machine the console runs on, when it is one of the nodes: the same contract without a connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets as random
import shlex
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Sequence

from sparkconsole.errors import CommandFailed, TimedOut, TooMuch, in_short
from sparkconsole.remote.ending import NAME, end_of_command
from sparkconsole.remote.live_shell import LiveShell
from sparkconsole.remote.shell import (
    DEFAULT_TIMEOUT_S,
    AnswerMeter,
    Completed,
    Endpoint,
    checked_argv,
    exports_from_input,
    too_much,
)

_KEPT_STDERR = 65536
_GRACE_S = 2.0
"""From a polite end to a hard one."""
_END, _END_S = end_of_command(_GRACE_S), 5.0


class LocalPipe:
    """A command of this machine with both ends in our hands."""

    def __init__(
        self, node: str, argv: Sequence[str], process: asyncio.subprocess.Process, name: str = ""
    ) -> None:
        self._node, self._argv, self._process, self._name = node, tuple(argv), process, name
        self._stderr = bytearray()
        self._errors = asyncio.create_task(self._keep_errors())

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes of standard output; empty at its end."""
        return await self._process.stdout.read(size) if self._process.stdout else b""

    async def write(self, data: bytes) -> None:
        """Feeds standard input, waiting while the command is slow."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise CommandFailed(self._argv, None, f"it stopped reading: {error}", node=self._node) from error

    async def close_input(self) -> None:
        """Ends standard input."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> Completed:
        """The end of the command."""
        status = await self._process.wait()
        await self._errors
        return Completed(self._node, self._argv, status, b"", bytes(self._stderr))

    async def kill(self) -> None:
        """Ends the command and its children if it still runs."""
        await self.close_input()
        await end_process(self._process, self._name)
        # Something detached may hold the output for ever.
        self._errors.cancel()
        await asyncio.gather(self._errors, return_exceptions=True)

    async def _keep_errors(self) -> None:
        while self._process.stderr and (chunk := await self._process.stderr.read(65536)):
            self._stderr += chunk
            del self._stderr[:-_KEPT_STDERR]


def end_group(process: asyncio.subprocess.Process, signal_number: int = signal.SIGTERM) -> None:
    """Ends a process and everything it started; it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal_number)


async def end_process(process: asyncio.subprocess.Process, name: str = "") -> bool:
    """Ends a process and what it started, politely first, and waits for that, also while being cancelled.

    `name`: what has it in its environment is ended too. False where something was not seen to end.
    """
    held = process.stdout is not None and not process.stdout.at_eof()
    if process.returncode is not None and not (name and held):
        return True
    return await asyncio.shield(asyncio.create_task(_end(process, name)))


async def _end(process: asyncio.subprocess.Process, name: str) -> bool:
    gone = not name or await _all_ended(process.pid, name)
    # Its own group in any case: on a busy machine the look at all the others may not come to its end.
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            end_group(process, signal_number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_S):
                # asyncio sees the end of a process only after that of its output, which a full buffer hides.
                await asyncio.gather(_drained(process.stdout), _drained(process.stderr))
                await process.wait()
                return gone
    return False


async def _all_ended(pid: int, name: str) -> bool:
    words = ("sh", "-c", _END, "end", name, str(pid))
    with contextlib.suppress(OSError, TimeoutError):
        ending = await asyncio.create_subprocess_exec(
            *words, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
        )
        try:
            async with asyncio.timeout(_END_S):
                return await ending.wait() == 0
        finally:
            if ending.returncode is None:
                end_group(ending, signal.SIGKILL)
                await ending.wait()
    return False


async def _drained(stream: asyncio.StreamReader | None) -> None:
    # Somebody else may be reading it, and will come to its end.
    with contextlib.suppress(RuntimeError):
        while stream and await stream.read(65536):
            pass


async def _given(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    """All of its input; what does not read has its reasons, and its end says which."""
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):
        stream.write(data)
        await stream.drain()
    stream.close()


class LocalShell(LiveShell):
    """A shell without a connection: its commands are processes of this machine."""

    closed = False

    async def _answer(
        self, argv: Sequence[str], given: bytes, timeout: float, secrets: tuple[str, ...]
    ) -> Completed:
        name = _new_name()
        process = await self._process(argv, secrets, name)
        long = [(tuple(argv), timeout)] if timeout > DEFAULT_TIMEOUT_S else []
        try:
            async with asyncio.timeout(timeout):
                out, err = await self._outputs(argv, process, given)
        except TimeoutError:
            raise TimedOut(f"{in_short(argv)} did not end within {timeout:.0f} s", node=self.node) from None
        except asyncio.CancelledError:
            self.unended += long  # cancelled once more meanwhile, nobody sees its end
            if await end_process(process, name):
                self.unended = [each for each in self.unended if each not in long]
            raise
        finally:
            await end_process(process, name)
        return Completed(self.node, tuple(argv), process.returncode, out, err)

    async def _outputs(
        self, argv: Sequence[str], process: asyncio.subprocess.Process, given: bytes
    ) -> tuple[bytes, bytes]:
        """All that it prints on both outputs; TooMuch beyond the budget."""
        meter = AnswerMeter()

        async def whole(stream: asyncio.StreamReader | None) -> bytes:
            output = bytearray()
            while stream and (chunk := await stream.read(65536)):
                if not meter.fits(chunk):
                    raise too_much(argv, self.node)
                output += chunk
            return bytes(output)

        try:
            async with asyncio.TaskGroup() as both:
                out, err = both.create_task(whole(process.stdout)), both.create_task(whole(process.stderr))
                both.create_task(_given(process.stdin, given))
        except* TooMuch:
            raise too_much(argv, self.node) from None
        await process.wait()
        return out.result(), err.result()

    async def _pipe(self, argv: Sequence[str]) -> LocalPipe:
        name = _new_name()
        return LocalPipe(self.node, argv, await self._process(argv, (), name), name)

    async def open_socket(self, target: str) -> Endpoint:
        """The socket itself: it is on this machine."""
        if target.startswith("/"):
            return Endpoint(path=target)
        host, _, port = target.rpartition(":")
        return Endpoint(host=host, port=int(port))

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _process(
        self, argv: Sequence[str], secrets: tuple[str, ...], name: str
    ) -> asyncio.subprocess.Process:
        # Through a shell, as sshd does it: a command means the same here and on every other node. It replaces
        # the shell: a leader that ended would leave what ignores SIGTERM behind.
        line = f"{exports_from_input(secrets)}exec {shlex.join(checked_argv(argv))}"
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                "sh", "-c", line,
                stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
                env={**os.environ, **self.environment, NAME: name},
            )
        )  # fmt: skip
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A start that is cancelled between fork and pipes never returns (CPython gh-119710).
            await end_process(await starting, name)
            raise


def _new_name() -> str:
    """What no other command is called."""
    return random.token_hex(8)
