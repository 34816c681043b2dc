"""A node over one asyncssh connection: no prompt, no unverified host key, no wait without end.

OpenSSH's client configuration is honoured (HostName, User, Port, IdentityFile, ProxyJump), and the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets as random
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path

import asyncssh

from sparkconsole.errors import CommandFailed, SparkError, TimedOut, Unreachable
from sparkconsole.model.cluster import Node
from sparkconsole.remote.client_config import place_of
from sparkconsole.remote.lines import LineReader
from sparkconsole.remote.login import log_in
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Endpoint, command_line

SESSIONS = 8
"""sshd's MaxSessions is 10 unless somebody changed it; two stay free for what follows a log."""
_KEPT_STDERR = 65536


# A root login's sshd passes no signal on, and closing a channel ends nothing: a command says its process
# number first, so that a second session can end its whole group. `2>&1` where both are read as one.
_TOLD = 'echo "$1 $$" >&2; shift; exec "$@"'
_MERGED = 'echo "$1 $$" >&2; shift; exec "$@" 2>&1'
_END = r"""
g=$(sed 's/.*) [A-Za-z] [0-9]* \([0-9]*\) .*/\1/' "/proc/$1/stat" 2>/dev/null) && [ "$g" -gt 1 ] || exit 0
kill -TERM "-$g" 2>/dev/null; :
"""
_SESSION_WAIT_S = 10.0
"""How long a command waits for one of the others to end when sshd opens no further session."""
_SESSION_PAUSE_S = 0.03
_END_TIMEOUT_S = 5.0
_OVERTIME_S = 1
"""The node ends a command itself that much after we gave it up: also when we are gone by then."""


async def connect_ssh(
    node: Node, *, known_hosts: Path | None = None, connect_timeout: float = 10.0
) -> SshShell:
    """The connection to a node; Unreachable, UnknownHostKey or ChangedHostKey, each with what to do next."""
    if node.identity_file and not Path(node.identity_file).expanduser().is_file():  # noqa: ASYNC240
        raise Unreachable(
            f"its identity file {node.identity_file} is not there", hint="see cluster.toml", node=node.name
        )
    there = place_of(node)
    try:
        async with asyncio.timeout(connect_timeout):
            connection = await log_in(there, node.name, known_hosts=known_hosts)
    except TimeoutError as error:
        raise Unreachable(
            f"no answer from {node.address} within {connect_timeout:.0f} s",
            hint="is it on, and is the address right?",
            node=node.name,
        ) from error
    return SshShell(node.name, connection)


class SshPipe:
    """A remote command with both ends in our hands."""

    def __init__(
        self, shell: SshShell, argv: Sequence[str], process: asyncssh.SSHClientProcess[bytes], mark: str
    ) -> None:
        self._shell, self._argv, self._process = shell, tuple(argv), process
        self._stderr = bytearray()
        self._mark = re.compile(rb"%s (\d+)\n" % mark.encode())
        self._pid = asyncio.get_running_loop().create_future()
        self._errors = asyncio.create_task(self._keep_errors())

    async def read(self, size: int = 65536) -> bytes:
        """Up to `size` bytes of standard output; empty at its end; Unreachable when the connection broke."""
        with self._shell.told():
            return await self._process.stdout.read(size)

    async def write(self, data: bytes) -> None:
        """Feeds standard input, waiting while the far side is slow; Unreachable when it is gone."""
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionError, asyncssh.Error) as error:
            raise CommandFailed(
                self._argv, None, f"it stopped reading: {error}", node=self._shell.node
            ) from error

    async def close_input(self) -> None:
        """Ends standard input."""
        self._process.stdin.write_eof()

    async def wait(self) -> Completed:
        """The end of the command; Unreachable when the connection was lost before it."""
        with self._shell.told():
            await self._process.wait_closed()
            await self._errors
        return self._shell.completed(self._argv, self._process, b"", bytes(self._stderr))

    async def kill(self) -> None:
        """Ends the command and what it started, if it still runs; its input and output end in any case."""
        runs = self._process.exit_status is None and not self._process.is_closing()
        try:
            if runs and not self._shell.closed:
                await self._end()
        finally:
            self._errors.cancel()
            self._process.close()

    async def _end(self) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            self._process.terminate()
        with contextlib.suppress(TimeoutError, asyncio.InvalidStateError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                await self._shell.end(await asyncio.shield(self._pid))

    async def _keep_errors(self) -> None:
        # A connection that broke is told by who waits for the end; here it only ends the keeping.
        with contextlib.suppress(OSError, asyncssh.Error):
            while chunk := await self._process.stderr.read(65536):
                self._stderr += chunk
                self._hear()
                del self._stderr[:-_KEPT_STDERR]

    def _hear(self) -> None:
        """Takes the command's process number out of its errors."""
        if not self._pid.done() and (said := self._mark.search(self._stderr)):
            self._pid.set_result(int(said[1]))
            del self._stderr[said.start() : said.end()]


class SshShell:
    """See `remote.shell.Shell`."""

    def __init__(self, node: str, connection: asyncssh.SSHClientConnection) -> None:
        self.node, self.connection = node, connection
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._sockets: dict[str, Endpoint] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<SshShell {self.node} {'closed' if self.closed else 'open'}>"

    @property
    def closed(self) -> bool:
        """The connection is gone."""
        return self.connection.is_closed()

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT_S,
        secrets: Mapping[str, str] | None = None,
    ) -> Completed:
        """Runs to the end."""
        given = "".join(f"{value}\n" for value in (secrets or {}).values()).encode() + (stdin or b"")
        async with self._sessions:
            return await self._ran(argv, given, timeout, tuple(secrets or ()))

    async def _ran(
        self, argv: Sequence[str], given: bytes, timeout: float, secrets: tuple[str, ...] = ()
    ) -> Completed:
        watched = ("timeout", "-k", "5", f"{timeout + _OVERTIME_S:.1f}", *argv)
        process = await self._process(command_line(watched, secrets=secrets), replace=not secrets)
        try:
            async with asyncio.timeout(timeout):
                with self.told():
                    out, err = await process.communicate(given)
        except TimeoutError:
            with contextlib.suppress(OSError, asyncssh.Error):
                process.terminate()
            raise TimedOut(
                f"`{command_line(argv)[:120]}` did not end within {timeout:g} s",
                hint="the machine may be out of memory or frozen",
                node=self.node,
            ) from None
        finally:
            process.close()
        return self.completed(argv, process, out or b"", err or b"")

    async def lines(self, argv: Sequence[str], *, timeout: float | None = None) -> AsyncIterator[str]:
        """Output and errors, line by line."""
        pipe = await self._pipe(argv, _MERGED)
        reader = LineReader()
        try:
            async with asyncio.timeout(timeout):
                while chunk := await pipe.read():
                    for line in reader.feed(chunk):
                        yield line
                for line in reader.feed(b"", final=True):
                    yield line
                done = await pipe.wait()
            done.checked()
        except TimeoutError:
            raise TimedOut(f"`{command_line(argv)[:120]}` took too long", node=self.node) from None
        finally:
            await pipe.kill()

    async def pipe(self, argv: Sequence[str]) -> SshPipe:
        """Starts a command with its standard input and output in our hands."""
        return await self._pipe(argv, _TOLD)

    async def _pipe(self, argv: Sequence[str], script: str) -> SshPipe:
        mark = f"sparkconsole-{random.token_hex(4)}"
        process = await self._process(command_line(("sh", "-c", script, "told", mark, *argv)))
        return SshPipe(self, argv, process, mark)

    async def end(self, pid: int) -> None:
        """Ends the process group of a command on the node; says nothing when it is gone already."""
        with contextlib.suppress(SparkError):
            await self._ran(("sh", "-c", _END, "end", str(pid)), b"", _END_TIMEOUT_S)

    async def open_socket(self, target: str) -> Endpoint:
        """A local Unix socket, in a folder of our own, that leads to the node's `target`."""
        async with self._lock:
            if self.closed:
                raise self._lost()
            if target not in self._sockets:
                self._sockets[target] = await self._forward(target)
            return self._sockets[target]

    async def aclose(self) -> None:
        """Closes the connection and every forwarded socket; what runs detached goes on."""
        self.connection.close()
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            await asyncio.wait_for(self.connection.wait_closed(), 5)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def completed(
        self, argv: Sequence[str], process: asyncssh.SSHClientProcess[bytes], out: bytes, err: bytes
    ) -> Completed:
        """The end of a command; Unreachable when the connection broke before it was seen."""
        if process.returncode is None and self.connection.is_closed():
            raise self._lost()
        return Completed(self.node, tuple(argv), process.returncode, out, err)

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """What the library raises when the connection broke becomes Unreachable."""
        try:
            yield
        except TimeoutError:
            raise
        except (OSError, asyncssh.Error) as error:
            raise self._lost() from error

    async def _process(self, line: str, *, replace: bool = True) -> asyncssh.SSHClientProcess[bytes]:
        """Starts a command, waiting for another one to end when sshd's MaxSessions are all in use.

        It replaces the login shell, of whatever kind that is, and so leads the session's process group.
        """
        give_up = asyncio.get_running_loop().time() + _SESSION_WAIT_S
        while True:
            try:
                return await self.connection.create_process(
                    f"exec {line}" if replace else line, encoding=None
                )
            except asyncssh.ChannelOpenError as error:
                if self.closed:
                    raise self._lost() from error
                if asyncio.get_running_loop().time() > give_up:
                    raise SparkError(
                        f"sshd opens no further session: {error}",
                        hint="raise MaxSessions in its /etc/ssh/sshd_config",
                        node=self.node,
                    ) from error
            except (OSError, asyncssh.Error) as error:
                raise self._lost() from error
            await asyncio.sleep(_SESSION_PAUSE_S)

    async def _forward(self, target: str) -> Endpoint:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sparkconsole-")
        path = str(Path(self._folder.name) / f"{len(self._sockets)}.sock")
        try:
            if target.startswith("/"):
                await self.connection.forward_local_path(path, target)
            else:
                host, _, port = target.rpartition(":")
                await self.connection.forward_local_path_to_port(path, host, int(port))
        except (OSError, asyncssh.Error) as error:
            raise self._lost() from error
        return Endpoint(path=path)

    def _lost(self) -> Unreachable:
        return Unreachable("the connection was lost", hint="what ran detached goes on there", node=self.node)
