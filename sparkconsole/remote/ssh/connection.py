"""A node over one asyncssh connection: no prompt, no unverified host key, no wait without end.

OpenSSH's client configuration is honoured (HostName, User, Port, IdentityFile, ProxyJump), and the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import asyncssh

from sparkconsole.config.bounded_read import expanded, is_file
from sparkconsole.config.locked import OwnFolder
from sparkconsole.errors import SparkError, TimedOut, Unreachable, UnusableLogin, WrongConfig, in_short
from sparkconsole.model.cluster import Node
from sparkconsole.remote.ending import NAME, end_of_command
from sparkconsole.remote.live_shell import LiveShell
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Endpoint, checked_argv
from sparkconsole.remote.ssh.framing import framed_line, new_mark
from sparkconsole.remote.ssh.login import log_in
from sparkconsole.remote.ssh.pipe import END_TIMEOUT_S, SshPipe, lost
from sparkconsole.remote.ssh_config.client_config import place_of

SESSIONS = 8
"""sshd's MaxSessions is 10 unless somebody changed it; two stay free for what follows a log."""


# A root login's sshd passes no signal on, and closing a channel ends nothing: a second session ends all of a
# command, whose process number its frame says.
_END = end_of_command()
_SESSION_WAIT_S = 10.0
"""How long a command waits for one of the others to end when sshd opens no further session."""
_SESSION_PAUSE_S = 0.03
_SHORT_END_S = 1.0
"""So long the end of a short command is waited for: the node itself ends it soon."""
_OVERTIME_S = 1
"""The node ends a command itself that much after we gave it up: also when we are gone by then."""


async def connect_ssh(node: Node, *, connect_timeout: float = 10.0) -> SshShell:
    """The connection to a node; Unreachable, UnknownHostKey or ChangedHostKey, each with what to do next."""
    if node.identity_file and not is_file(expanded(node.identity_file)):
        raise Unreachable(
            f"its identity file {node.identity_file} is not there", hint="see cluster.toml", node=node.name
        )
    try:
        there = await asyncio.to_thread(place_of, node)
        connect_timeout = there.connect_timeout_s or connect_timeout
        async with asyncio.timeout(connect_timeout):
            connection = await log_in(there, node.name)
    except WrongConfig as error:
        raise UnusableLogin(error.cause, hint=error.hint, node=node.name) from error
    except TimeoutError as error:
        raise Unreachable(
            f"no answer from {node.address} within {connect_timeout:.0f} s",
            hint="is it on, and is the address right?",
            node=node.name,
        ) from error
    return SshShell(node.name, connection)


class SshShell(LiveShell):
    """A shell over one connection, whose sessions take turns."""

    def __init__(self, node: str, connection: asyncssh.SSHClientConnection) -> None:
        super().__init__(node)
        self.connection = connection
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._sockets: dict[str, Endpoint] = {}
        self._folder: OwnFolder | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<SshShell {self.node} {'closed' if self.closed else 'open'}>"

    @property
    def closed(self) -> bool:
        """The connection is gone."""
        return self.connection.is_closed()

    async def _answer(
        self, argv: Sequence[str], given: bytes, timeout: float, secrets: tuple[str, ...]
    ) -> Completed:
        async with self._sessions:
            return await self._ran(argv, given, timeout, secrets)

    async def _ran(
        self, argv: Sequence[str], given: bytes, timeout: float, secrets: tuple[str, ...] = ()
    ) -> Completed:
        watched = ("timeout", "-k", "5", f"{timeout + _OVERTIME_S:.1f}", *checked_argv(argv))
        pipe = await self._started(argv, watched, secrets, whole=True)
        long = [(tuple(argv), timeout)] if timeout > DEFAULT_TIMEOUT_S else []
        try:
            async with asyncio.timeout(timeout):
                return await pipe.answer(given)
        except TimeoutError:
            # What left its group is not ended by the node's own limit.
            await pipe.ended(_SHORT_END_S)
            raise self._timed_out(argv, timeout, ran=pipe.ran) from None
        except Unreachable:
            self.unended += long if pipe.ran else []
            raise
        except asyncio.CancelledError:
            self.unended += long  # cancelled once more meanwhile, nobody sees its end
            if await pipe.ended(END_TIMEOUT_S if long else _SHORT_END_S):
                self.unended = [each for each in self.unended if each not in long]
            raise
        finally:
            pipe.close()

    def _timed_out(self, argv: Sequence[str], timeout: float, *, ran: bool) -> TimedOut:
        if not ran:
            return TimedOut(
                f"its login shell did not come to a command within {timeout:g} s",
                hint="is it out of memory or frozen, or do the shell's startup files wait for something?",
                node=self.node,
            )
        return TimedOut(
            f"{in_short(argv)} did not end within {timeout:g} s",
            hint="the machine may be out of memory or frozen",
            node=self.node,
        )

    async def _pipe(self, argv: Sequence[str]) -> SshPipe:
        return await self._started(argv, checked_argv(argv))

    async def _started(
        self, argv: Sequence[str], words: Sequence[str], secrets: Sequence[str] = (), *, whole: bool = False
    ) -> SshPipe:
        mark = new_mark()
        end = partial(self._end, mark)
        made = partial(SshPipe, self.node, self.connection, end, argv, mark=mark, whole=whole)
        return await self._opened(framed_line(words, mark, secrets, {**self.environment, NAME: mark}), made)

    async def _end(self, mark: str, pid: int) -> bool:
        """Ends a command on the node with all that it started; whether it was seen that it is gone."""
        argv = ("sh", "-c", _END, "end", mark, str(pid))
        with contextlib.suppress(SparkError), contextlib.closing(await self._started(argv, argv)) as ending:
            return (await ending.answer(b"")).ok
        return False

    async def open_socket(self, target: str) -> Endpoint:
        """A local Unix socket, in a folder of our own, that leads to the node's `target`."""
        async with self._lock:
            if self.closed:
                raise lost(self.node)
            if target not in self._sockets:
                self._sockets[target] = await self._forward(target)
            return self._sockets[target]

    def cut(self) -> None:
        """Ends the connection now; nothing more is asked of the node."""
        self.connection.abort()

    async def aclose(self) -> None:
        """Closes the connection and every forwarded socket; what runs detached goes on."""
        self.connection.close()
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
            await asyncio.wait_for(self.connection.wait_closed(), 5)
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _opened(
        self, line: str, made: Callable[[asyncssh.SSHClientProcess[bytes]], SshPipe]
    ) -> SshPipe:
        """Starts a command, waiting for another one to end when sshd's MaxSessions are all in use."""
        give_up = asyncio.get_running_loop().time() + _SESSION_WAIT_S
        while True:
            try:
                opening = asyncio.ensure_future(self.connection.create_process(line, encoding=None))
                return made(await asyncio.shield(opening))
            except asyncio.CancelledError:
                # sshd was asked already: what it starts is ended as soon as it has begun.
                with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):
                    await made(await asyncio.wait_for(opening, _SHORT_END_S)).ended(_SHORT_END_S)
                raise
            except asyncssh.ChannelOpenError as error:
                if self.closed:
                    raise lost(self.node) from error
                if asyncio.get_running_loop().time() > give_up:
                    raise SparkError(
                        f"sshd opens no further session: {error}",
                        hint="raise MaxSessions in its /etc/ssh/sshd_config",
                        node=self.node,
                    ) from error
            except (OSError, asyncssh.Error) as error:
                raise lost(self.node) from error
            await asyncio.sleep(_SESSION_PAUSE_S)

    async def _forward(self, target: str) -> Endpoint:
        if self._folder is None:
            self._folder = self._sockets_folder()
        path = str(Path(self._folder.name) / f"{len(self._sockets)}.sock")
        try:
            if target.startswith("/"):
                await self.connection.forward_local_path(path, target)
            else:
                host, _, port = target.rpartition(":")
                await self.connection.forward_local_path_to_port(path, host, int(port))
        except (OSError, asyncssh.Error) as error:
            raise lost(self.node) from error
        return Endpoint(path=path)

    def _sockets_folder(self) -> OwnFolder:
        try:
            return OwnFolder()
        except OSError as error:
            raise SparkError(
                f"no room for its sockets on this computer: {error.strerror}",
                hint="free some space in the folder for temporary files; TMPDIR names another",
                node=self.node,
            ) from error
