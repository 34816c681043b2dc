"""A node over one asyncssh connection: no prompt, no unverified host key, no wait without end.

OpenSSH's client configuration is honoured (HostName, User, Port, IdentityFile, ProxyJump), and the agent.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncssh

from sparkconsole.errors import (
    ChangedHostKey,
    CommandFailed,
    SparkError,
    TimedOut,
    UnknownHostKey,
    Unreachable,
    WrongConfig,
)
from sparkconsole.model.cluster import Node
from sparkconsole.remote import hostkeys
from sparkconsole.remote.lines import LineReader
from sparkconsole.remote.shell import DEFAULT_TIMEOUT_S, Completed, Endpoint, command_line

# The library would choose chacha20 first; AES-GCM moves twice the bytes on processors with AES instructions.
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
KEEPALIVE_S, KEEPALIVES_MISSED = 3, 2
"""A dead peer is noticed within interval x (missed + 1) = 9 s."""
SESSIONS = 8
"""sshd's MaxSessions is 10 unless somebody changed it; two stay free for what follows a log."""
_KEPT_STDERR = 65536


class _Client(asyncssh.SSHClient):
    """Remembers the host key that was shown when it is not a trusted one."""

    shown: asyncssh.SSHKey | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key
        return False


async def connect_ssh(
    node: Node, *, known_hosts: Path | None = None, connect_timeout: float = 10.0
) -> SshShell:
    """The connection to a node; Unreachable, UnknownHostKey or ChangedHostKey, each with what to do next."""
    client = _Client()
    try:
        connection, _ = await asyncio.wait_for(
            asyncssh.create_connection(lambda: client, node.address, **_options(node, known_hosts)),
            connect_timeout,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise _key_error(node, client.shown, known_hosts, error) from error
    except asyncssh.ConfigParseError as error:
        raise WrongConfig(str(error), hint="`ssh -G HOST` would say the same", node=node.name) from error
    except (TimeoutError, OSError, ValueError, asyncssh.Error) as error:
        raise _unreachable(node, error, connect_timeout) from error
    return SshShell(node.name, connection)


def _options(node: Node, known_hosts: Path | None) -> dict[str, Any]:
    given = {"username": node.user, "port": node.port, "client_keys": node.identity_file}
    return {
        **{key: value for key, value in given.items() if value is not None},
        "known_hosts": str(hostkeys.known_hosts_file(known_hosts)),
        "encryption_algs": CIPHERS,
        "keepalive_interval": KEEPALIVE_S,
        "keepalive_count_max": KEEPALIVES_MISSED,
        "password": None,
        "kbdint_auth": False,
        "password_auth": False,
        "gss_auth": False,
        "gss_kex": False,
    }


def _key_error(
    node: Node, key: asyncssh.SSHKey | None, known_hosts: Path | None, error: Exception
) -> Unreachable:
    if key is None:
        return Unreachable(
            f"a jump host's key is not trusted: {error}", hint="ssh to it once, by hand", node=node.name
        )
    fingerprint = key.get_fingerprint()
    if hostkeys.known_keys(node, known_hosts):
        return ChangedHostKey(
            f"it shows another host key than the trusted one: {fingerprint}",
            hint="if the machine was set up again, remove the old key with ssh-keygen -R "
            f"{hostkeys.entry_name(node)} and trust the new one; if not, somebody may be in between",
            node=node.name,
        )
    return UnknownHostKey(
        f"its host key is not trusted yet: {fingerprint}",
        fingerprint=fingerprint,
        hint=f"compare it with the machine's, then: sparkconsole node trust {node.name}",
        node=node.name,
    )


def _unreachable(node: Node, error: Exception, timeout: float) -> Unreachable:
    who = f"{node.user}@{node.address}" if node.user else node.address
    match error:
        case TimeoutError():
            said = (
                f"no answer from {node.address} within {timeout:.0f} s",
                "is it on, and is the address right?",
            )
        case asyncssh.PermissionDenied():
            said = (f"{who} refused every key", f"try: ssh {who}; put a key there with ssh-copy-id {who}")
        case asyncssh.KeyImportError() | asyncssh.KeyEncryptionError():
            said = (f"a key cannot be used: {error}", "an encrypted key belongs into the agent: ssh-add")
        case ConnectionRefusedError():
            said = (f"{node.address} refused the connection", "is sshd running there, and is it that port?")
        case _:
            said = (f"no connection to {node.address}: {error}", f"try: ssh {who}")
    return Unreachable(said[0], hint=said[1], node=node.name)


class SshPipe:
    """A remote command with both ends in our hands."""

    def __init__(
        self, shell: SshShell, argv: Sequence[str], process: asyncssh.SSHClientProcess[bytes]
    ) -> None:
        self._shell, self._argv, self._process = shell, tuple(argv), process
        self._stderr = bytearray()
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
        """Ends the command: a signal where sshd passes it on, and end of input where it does not."""
        self._errors.cancel()
        if self._process.exit_status is None and not self._process.is_closing():
            with contextlib.suppress(OSError, asyncssh.Error):
                self._process.terminate()
        self._process.close()

    async def _keep_errors(self) -> None:
        # A connection that broke is told by who waits for the end; here it only ends the keeping.
        with contextlib.suppress(OSError, asyncssh.Error):
            while chunk := await self._process.stderr.read(65536):
                self._stderr += chunk
                del self._stderr[:-_KEPT_STDERR]


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
            process = await self._process(argv, tuple(secrets or ()))
            try:
                async with asyncio.timeout(timeout):
                    with self.told():
                        out, err = await process.communicate(given)
            except TimeoutError:
                with contextlib.suppress(OSError, asyncssh.Error):
                    process.terminate()
                raise TimedOut(
                    f"`{command_line(argv)[:120]}` did not end within {timeout:.0f} s",
                    hint="the machine may be out of memory or frozen",
                    node=self.node,
                ) from None
            finally:
                process.close()
        return self.completed(argv, process, out or b"", err or b"")

    async def lines(self, argv: Sequence[str], *, timeout: float | None = None) -> AsyncIterator[str]:
        """Output and errors, line by line."""
        process = await self._process(argv, (), stderr=asyncssh.STDOUT)
        reader = LineReader()
        try:
            async with asyncio.timeout(timeout):
                while chunk := await self._read(process):
                    for line in reader.feed(chunk):
                        yield line
                for line in reader.feed(b"", final=True):
                    yield line
                await process.wait_closed()
            self.completed(argv, process, b"", b"").checked()
        except TimeoutError:
            raise TimedOut(f"`{command_line(argv)[:120]}` took too long", node=self.node) from None
        finally:
            if process.exit_status is None:
                with contextlib.suppress(OSError, asyncssh.Error):
                    process.terminate()
            process.close()

    async def pipe(self, argv: Sequence[str]) -> SshPipe:
        """Starts a command with its standard input and output in our hands."""
        return SshPipe(self, argv, await self._process(argv, ()))

    async def open_socket(self, target: str) -> Endpoint:
        """A local Unix socket, in a folder of our own, that leads to the node's `target`."""
        async with self._lock:
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

    async def _read(self, process: asyncssh.SSHClientProcess[bytes]) -> bytes:
        with self.told():
            return await process.stdout.read(65536)

    async def _process(
        self, argv: Sequence[str], secrets: tuple[str, ...], **options: Any
    ) -> asyncssh.SSHClientProcess[bytes]:
        try:
            return await self.connection.create_process(
                command_line(argv, secrets=secrets), encoding=None, **options
            )
        except asyncssh.ChannelOpenError as error:
            if self.connection.is_closed():
                raise self._lost() from error
            raise SparkError(
                f"sshd opens no further session: {error}", hint="raise MaxSessions there", node=self.node
            ) from error
        except (OSError, asyncssh.Error) as error:
            raise self._lost() from error

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
