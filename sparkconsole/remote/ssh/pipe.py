"""A command at the other end of a connection, from the first byte that is its own to its last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence

import asyncssh

from sparkconsole.errors import CommandFailed, Unreachable
from sparkconsole.remote.shell import AnswerMeter, Completed, too_much
from sparkconsole.remote.ssh.framing import (
    ERRORS,
    MOST_GREETING_BYTES,
    OUTPUT,
    Frame,
    endless_greeting,
    never_ran,
)

KEPT_STDERR_BYTES, REFILLED_S = 65536, 60.0
"""Of a pipe's errors: what is kept, and in how many seconds there may be as many as in an answer."""
END_TIMEOUT_S = 5.0


def lost(node: str) -> Unreachable:
    """The connection to a node broke."""
    return Unreachable("the connection was lost", hint="what ran detached goes on there", node=node)


@contextlib.contextmanager
def _translated(node: str) -> Iterator[None]:
    """What the library raises when the connection broke becomes Unreachable."""
    try:
        yield
    except TimeoutError:
        raise
    except (OSError, asyncssh.Error) as error:
        raise lost(node) from error


class SshPipe:
    """See `remote.shell.Pipe`; `whole`: what it says is kept, as one answer.

    `end` ends all of a command on the node, by its process number, and says whether it is gone.
    """

    def __init__(
        self,
        node: str,
        connection: asyncssh.SSHClientConnection,
        end: Callable[[int], Awaitable[bool]],
        argv: Sequence[str],
        process: asyncssh.SSHClientProcess[bytes],
        mark: str,
        whole: bool = False,
    ) -> None:
        self._node, self._connection, self._end_all = node, connection, end
        self._argv, self._process = tuple(argv), process
        self._pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._out, self._err = Frame(mark, OUTPUT, self._pid), Frame(mark, ERRORS, self._pid)
        self._rest, self._stderr = b"", bytearray()
        self._whole, self._meter = whole, AnswerMeter() if whole else AnswerMeter(None, REFILLED_S)
        self._flooded = False
        self._errors = asyncio.create_task(self._keep_errors())

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes of standard output; empty at its end.

        Unreachable when the connection broke, or when the login shell ended without running the command.
        """
        await self._began()
        if self._rest:
            taken, self._rest = self._rest[:size], self._rest[size:]
            return taken
        return await self._chunk(size)

    async def write(self, data: bytes) -> None:
        """Feeds standard input, waiting while the far side is slow; Unreachable when it is gone."""
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionError, asyncssh.Error) as error:
            raise CommandFailed(self._argv, None, f"it stopped reading: {error}", node=self._node) from error

    async def close_input(self) -> None:
        """Ends standard input."""
        self._process.stdin.write_eof()

    async def wait(self) -> Completed:
        """The end of the command; Unreachable when the connection was lost before it."""
        await self._began()
        if self._flooded:
            await self._end(END_TIMEOUT_S)
            raise too_much(self._argv, self._node)
        return await self._completed()

    async def answer(self, given: bytes) -> Completed:
        """Gives it all of its input and waits for all that it says; TooMuch beyond what one may have."""
        with contextlib.suppress(OSError, asyncssh.Error):  # it does not read: its end says why
            self._process.stdin.write(given)
            self._process.stdin.write_eof()
        whole = bytearray()
        while chunk := await self.read():
            if not self._fits(chunk):
                break
            whole += chunk
        done = await self.wait()
        return Completed(done.node, done.argv, done.status, bytes(whole), done.stderr)

    @property
    def ran(self) -> bool:
        """The login shell came to the command."""
        return self._out.begun

    async def kill(self) -> None:
        """Ends the command and what it started, if it still runs; its input and output end in any case."""
        await self.ended(END_TIMEOUT_S)

    async def ended(self, within_s: float) -> bool:
        """As `kill`; whether it was read back that nothing of it runs on."""
        # A channel whose input has ended says of itself that it is closing, while its command runs. What it
        # started may hold its output when it has ended itself.
        runs = self._process.returncode is None or not self._process.stdout.at_eof()
        try:
            return not runs or (not self._connection.is_closed() and await self._end(within_s))
        finally:
            self.close()

    def close(self) -> None:
        """Reads and writes no more."""
        self._errors.cancel()
        self._process.close()

    def terminate(self) -> None:
        """Asks sshd to end it, without waiting; not every sshd does."""
        with contextlib.suppress(OSError, asyncssh.Error):
            self._process.terminate()

    async def _end(self, within_s: float) -> bool:
        self.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._end_all(await asyncio.shield(self._pid))
        return False

    async def _chunk(self, size: int) -> bytes:
        with _translated(self._node):
            return await self._process.stdout.read(size)

    async def _began(self) -> None:
        """Sets aside what the login shell says before it comes to the command."""
        while not self.ran:
            chunk = await self._chunk(65536)
            self._rest = self._out.feed(chunk)
            if max(self._out.foreign, self._err.foreign) > MOST_GREETING_BYTES:
                self.close()
                raise endless_greeting(self._node)
            if not chunk:
                raise await self._never_ran()

    async def _never_ran(self) -> Unreachable:
        done = await self._completed()
        return never_ran(self._node, done.status, self._err.last_words or self._out.last_words)

    async def _completed(self) -> Completed:
        with _translated(self._node):
            await self._process.wait_closed()
            await self._errors
        if self._process.returncode is None and self._connection.is_closed():
            raise lost(self._node)
        return Completed(self._node, self._argv, self._process.returncode, b"", bytes(self._stderr))

    def _fits(self, chunk: bytes) -> bool:
        """Counts what is kept of a whole answer, or a pipe's errors."""
        self._flooded = self._flooded or not self._meter.fits(chunk)
        return not self._flooded

    async def _keep_errors(self) -> None:
        # A connection that broke is told by who waits for the end; here it only ends the keeping.
        with contextlib.suppress(OSError, asyncssh.Error):
            while chunk := await self._process.stderr.read(65536):
                own = self._err.feed(chunk)
                if not self._fits(own) or self._err.foreign > MOST_GREETING_BYTES:
                    self._process.stdout.feed_eof()
                self._stderr += own
                if not self._whole:
                    del self._stderr[:-KEPT_STDERR_BYTES]
