"""A real SSH server in this process, on loopback: real keys, real commands, and every string it was given."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh


class SshServer:
    """One listening server. `commands` are the strings that its login shell was given."""

    def __init__(self, user: str, allowed: asyncssh.SSHKey) -> None:
        self.user, self.allowed = user, allowed
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.port = 0
        self.commands: list[str] = []
        self.logins: list[str] = []
        self.tunnels: list[tuple[str, int]] = []
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.children: set[int] = set()
        """Process (and group) numbers of the commands that run."""
        self._serving: set[asyncio.Task[None]] = set()
        self.began = asyncio.Event()
        """A command was started."""

    @property
    def fingerprint(self) -> str:
        return self.key.get_fingerprint()

    def known_hosts_line(self, key: asyncssh.SSHKey | None = None) -> str:
        return f"[127.0.0.1]:{self.port} {(key or self.key).export_public_key('openssh').decode()}"

    def cut(self) -> None:
        """Every connection ends as when the power goes."""
        while self.connections:
            self.connections.pop().abort()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[SshServer]:
        options: dict[str, Any] = {"encoding": None, "allow_scp": False}
        server = await asyncssh.create_server(
            lambda: _Session(self), "127.0.0.1", 0, server_host_keys=[self.key],
            process_factory=self._serve, **options,
        )  # fmt: skip
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            ending = self.connections[:]
            self.cut()
            server.close()
            await server.wait_closed()
            for connection in ending:
                await connection.wait_closed()
            await self._end_children()

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        # A task of our own: a connection that is cut would otherwise leave a child behind that nobody knows.
        serving = asyncio.create_task(self._run(process))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)
        await asyncio.shield(serving)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self.commands.append(process.command or "")
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", process.command or "", start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdin
        assert child.stdout
        assert child.stderr
        self.children.add(child.pid)
        self.began.set()
        feeding = asyncio.create_task(_feed(process.stdin, child.stdin))
        pipes = ((child.stdout, process.stdout), (child.stderr, process.stderr))
        carrying = [asyncio.create_task(_carry(*pipe)) for pipe in pipes]
        try:
            await asyncio.gather(*carrying)
            process.exit(await child.wait())
        except (OSError, asyncssh.Error):
            process.close()
        finally:
            for task in (feeding, *carrying):
                task.cancel()
            await asyncio.gather(feeding, *carrying, return_exceptions=True)
            await child.wait()
            # To their ends, which close them: a pipe left to the collector fails another test.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await asyncio.gather(child.stdout.read(), child.stderr.read())
            self.children.discard(child.pid)

    async def _end_children(self) -> None:
        """Like a machine that is switched off: whatever still runs is gone."""
        while self._serving:
            for pid in self.children:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            await asyncio.wait(self._serving, timeout=0.05)


async def _feed(source: Any, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
        await target.drain()
    target.close()


async def _carry(source: asyncio.StreamReader, target: Any) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
        await target.drain()


class _Session(asyncssh.SSHServer):
    def __init__(self, server: SshServer) -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._server.user and key.public_data == self._server.allowed.public_data

    def auth_completed(self) -> None:
        self._server.logins.append(self._server.user)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        self._server.tunnels.append((dest_host, dest_port))
        return True

    def unix_connection_requested(self, dest_path: str) -> bool:
        return True


def write_client_key(home: Path) -> asyncssh.SSHKey:
    """A key pair where OpenSSH's client looks for one."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    folder = home / ".ssh"
    folder.mkdir(mode=0o700)
    key.write_private_key(folder / "id_ed25519")
    (folder / "id_ed25519").chmod(0o600)
    key.write_public_key(folder / "id_ed25519.pub")
    return key
