"""A target and two jump hosts on this machine, and `ssh far` beside our own login: what does each server see?

The real ssh takes the home of whoever runs it from the list of users, never from HOME: here it runs with such
a list of its own, which takes root.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sparkconsole.model.cluster import Node
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.ssh.connection import connect_ssh
from sparkconsole.remote.ssh_config import openssh_config
from tests.programs import need

HERE = LocalShell("here")
SSH, UNSHARE = shutil.which("ssh"), shutil.which("unshare")
RELAY = """
import socket, sys, threading, os
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while d := os.read(0, 65536): s.sendall(d)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while d := s.recv(65536): os.write(1, d)
"""


@dataclass
class Witness:
    """A server that lets in who has one of the keys, and writes down what it saw."""

    name: str
    port: int = 0
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    allowed: dict[bytes, str] = field(default_factory=dict)
    seen: list[tuple[object, ...]] = field(default_factory=list)
    connections: list[asyncssh.SSHServerConnection] = field(default_factory=list)

    async def listen(self, stack: AsyncExitStack) -> None:
        stack.push_async_callback(self.hang_up)
        server = await asyncssh.create_server(
            lambda: _Seeing(self), "127.0.0.1", 0, server_host_keys=[self.key], process_factory=_ends
        )
        self.port = server.sockets[0].getsockname()[1]
        stack.push_async_callback(server.wait_closed)
        stack.callback(server.close)

    async def hang_up(self) -> None:
        """Every connection has ended when this returns: a socket left to the collector fails another test."""
        for connection in self.connections:
            connection.abort()
            await connection.wait_closed()


def _ends(process: Any) -> None:
    """Any command is our own frame, and true."""
    mark = (process.command or "").rpartition("sparkconsole-")[2][:16]
    for stream, which in ((process.stderr, "e"), (process.stdout, "o")):
        stream.write(f"sparkconsole-{mark}{which} 7\n")
    process.exit(0)


class _Seeing(asyncssh.SSHServer):
    def __init__(self, witness: Witness) -> None:
        self.witness, self.who = witness, ("", "")

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.conn = conn
        self.witness.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.who = username, self.witness.allowed.get(key.public_data, "")
        return bool(self.who[1])

    def validate_ca_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self.who = username, "certificate"
        return key.public_data in self.witness.allowed

    def auth_completed(self) -> None:
        source = self.conn.get_extra_info("peername")[0]
        cipher = self.conn.get_extra_info("recv_cipher")
        kept = cipher if cipher in ("aes192-ctr", "aes256-ctr") else "usual"
        self.witness.seen.append((*self.who, source, kept))

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        self.witness.seen.append(("leads to", dest_host, dest_port))
        return True


@dataclass
class World:
    """A target and two jump hosts; the first key is where ssh looks by itself, the other is elsewhere."""

    home: Path
    far: Witness
    hop: Witness
    hip: Witness
    agent: str

    def take(self) -> dict[str, list[tuple[object, ...]]]:
        """What each server saw since it was last asked."""
        said = {w.name: w.seen[:] for w in (self.far, self.hop, self.hip)}
        for witness in (self.far, self.hop, self.hip):
            witness.seen.clear()
        return said

    def filled(self, text: str) -> str:
        words = {
            "PORT": self.far.port, "HOP": self.hop.port, "HIP": self.hip.port, "HOME": self.home,
            "AGENT": self.agent, "PYTHON": sys.executable, "ME": getpass.getuser(),
        }  # fmt: skip
        for word, value in words.items():
            text = text.replace(f"<{word}>", str(value))
        return text


KEYS = {
    "id_ed25519": "ssh-ed25519", "other": "ssh-ed25519", "authority": "ssh-ed25519",
    "curved": "ecdsa-sha2-nistp256",
}  # fmt: skip
"""The first is where ssh looks by itself; the others have to be named."""


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    need("ssh-agent")
    home = Path.home()
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    names = {}
    for name, kind in KEYS.items():
        key = asyncssh.generate_private_key(kind)
        key.write_private_key(ssh / name)
        (ssh / name).chmod(0o600)
        key.write_public_key(ssh / f"{name}.pub")
        names[key.public_data] = name
    authority = asyncssh.read_private_key(ssh / "authority")
    signed = authority.generate_user_certificate(
        asyncssh.read_public_key(ssh / "other.pub"), "ann", principals=["ann"]
    )
    signed.write_certificate(ssh / "signed.pub")
    (home / "relay.py").write_text(RELAY)
    async with AsyncExitStack() as stack:
        world = World(home, Witness("far"), Witness("hop"), Witness("hip"), f"{tmp_path}/agent")
        for witness in (world.far, world.hop, world.hip):
            witness.allowed = names
            await witness.listen(stack)
        lines = [f"[127.0.0.1]:{w.port} {line_of(w)}\n" for w in (world.far, world.hop, world.hip)]
        (ssh / "known_hosts").write_text("".join(lines))
        (ssh / "config").touch()
        agent = await HERE.pipe(("ssh-agent", "-D", "-a", world.agent))
        stack.push_async_callback(agent.kill)
        assert await agent.read(), "it says where it listens once it does"
        monkeypatch.setenv("OTHER_AGENT", world.agent)
        monkeypatch.setenv("KEYS", str(ssh))
        yield world


def line_of(witness: Witness) -> str:
    return witness.key.export_public_key("openssh").decode().strip()


def with_ssh(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    """`ssh` on PATH is the real one, in a world where this home is the one of the list of users."""
    if SSH is None or UNSHARE is None:
        pytest.skip("ssh or unshare is not on this machine")
    if os.getuid() != 0:
        pytest.skip("only root can give ssh a list of users of its own")
    users = tmp_path / "passwd"
    entries = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    homes = [[*e[:5], str(world.home), *e[6:]] if e[2] == "0" else e for e in entries]
    users.write_text("".join(":".join(e) + "\n" for e in homes))
    (tmp_path / "ssh_config").write_text(system)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(
        f"#!/bin/sh\nexec {UNSHARE} -m sh -c 'mount --bind {users} /etc/passwd && "
        f'mount --bind {tmp_path}/ssh_config /etc/ssh/ssh_config && exec {SSH} "$@"\' ssh "$@"\n'
    )
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(openssh_config, "login_home", lambda: world.home)


def without_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))


@dataclass(frozen=True)
class Case:
    """A configuration for `ssh far`; `library`: what asyncssh's own reader makes of it where that differs."""

    name: str
    config: str
    library: str = ""
    """`refuses`: it says that it cannot read it; `differs`: it goes another way; empty: the same."""
    system: str = ""
    """/etc/ssh/ssh_config."""
    agent: tuple[str, ...] = ()
    """Keys that the agent holds."""
    more: tuple[tuple[str, str], ...] = ()
    """Further files, below the home."""
    variable: str = ""
    """SSH_AUTH_SOCK."""


FAR = "Host far\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n"
HOPS = (
    "Host hop\n  HostName 127.0.0.1\n  Port <HOP>\n  User jim\n"
    "Host hip\n  HostName 127.0.0.1\n  Port <HIP>\n  User jill\n"
)


async def prepared(world: World, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = world.home / ".ssh"
    words = {
        "<KEY>": line_of(world.far),
        "<STRANGER>": asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip(),
        "<OTHER>": (ssh / "other").read_text(),
        "<OTHERPUB>": (ssh / "other.pub").read_text(),
        "<SIGNED>": (ssh / "signed.pub").read_text(),
    }
    for name, text in case.more:
        path = world.home / world.filled(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(world.filled(re.sub("<[A-Z]+>", lambda word: words.get(word[0], word[0]), text)))
        path.chmod(0o600)
    (world.home / ".ssh/config").write_text(world.filled(case.config))
    (world.home / ".ssh/config").chmod(0o600)
    monkeypatch.setenv("SSH_AUTH_SOCK", world.agent)
    for name in case.agent:
        assert (await HERE.run(("ssh-add", "-q", str(world.home / ".ssh" / name)))).ok
    monkeypatch.setenv("SSH_AUTH_SOCK", world.filled(case.variable))
    if not case.variable:
        monkeypatch.delenv("SSH_AUTH_SOCK")


async def by_ssh(*words: str) -> None:
    ssh = await asyncio.create_subprocess_exec(
        "ssh", "-o", "BatchMode=yes", *words, "true",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await ssh.communicate()
    assert ssh.returncode == 0, said.decode()


async def by_us(node: Node) -> None:
    shell = await connect_ssh(node)
    try:
        assert (await shell.run(("true",))).ok
    finally:
        await shell.aclose()


NODE = Node(name="spark1", address="far")
