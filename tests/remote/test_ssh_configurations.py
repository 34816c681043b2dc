"""`ssh HOST` and our login are one and the same to a server: user, key, port, way, whatever the files say.

The real ssh takes the home of whoever runs it from the list of users, never from HOME: here it runs with such
a list of its own, which takes root. What asyncssh's reader, which stands in where there is no ssh, reads in
another way is said in the table.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from sparkconsole.errors import ChangedHostKey, SparkError, UnknownHostKey, WrongConfig
from sparkconsole.model.cluster import Node
from sparkconsole.remote.host_keys.trust import shown_keys, trust
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.ssh.connection import connect_ssh
from sparkconsole.remote.ssh_config import openssh_config
from sparkconsole.remote.ssh_config.client_config import place
from tests.programs import need

pytestmark = pytest.mark.programs

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


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    need("ssh-agent")
    home = Path.home()
    ssh = home / ".ssh"
    ssh.mkdir(mode=0o700)
    names = {}
    for name in ("id_ed25519", "other", "authority"):
        key = asyncssh.generate_private_key("ssh-ed25519")
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
        lines = [f"[127.0.0.1]:{w.port} {_line(w)}\n" for w in (world.far, world.hop, world.hip)]
        (ssh / "known_hosts").write_text("".join(lines))
        (ssh / "config").touch()
        agent = await HERE.pipe(("ssh-agent", "-D", "-a", world.agent))
        stack.push_async_callback(agent.kill)
        assert await agent.read(), "it says where it listens once it does"
        monkeypatch.setenv("OTHER_AGENT", world.agent)
        monkeypatch.setenv("KEYS", str(ssh))
        yield world


def _line(witness: Witness) -> str:
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
ALIASED = ((".ssh/known_far-away", "far-away <KEY>\n"), (".ssh/known_hosts", ""))
CASES = (
    Case("plain", FAR),
    Case("equals and quotes", 'Host far\n\tHostName="127.0.0.1"\n\tPort=<PORT>\n\tUser "ann"\n'),
    Case("a comment behind a value", FAR.replace("<PORT>", "<PORT> # the second sshd"), library="refuses"),
    Case("no user", FAR.replace("  User ann\n", "")),
    Case("the first value counts", FAR + "Host *\n  User eve\n  Port 1\n"),
    Case("negated pattern", "Host * !near\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n"),
    Case("a time with a unit", FAR + "  ConnectTimeout 10s\n", library="refuses"),
    Case("unbound", FAR + "  PubkeyAuthentication unbound\n", library="refuses"),
    Case("another key", FAR + "  IdentityFile ~/.ssh/other\n"),
    Case("two keys in their order", FAR + "  IdentityFile ~/.ssh/other\n  IdentityFile ~/.ssh/id_ed25519\n"),
    Case("an absent key, then one", FAR + "  IdentityFile ~/.ssh/absent\n  IdentityFile ~/.ssh/other\n"),
    Case("%d", FAR + "  IdentityFile %d/.ssh/other\n"),
    Case(
        "tokens of a key",
        FAR + "  IdentityFile ~/.ssh/%h-%r-%n\n",
        more=((".ssh/127.0.0.1-ann-far", "<OTHER>"),),
    ),
    Case("a variable", FAR + "  IdentityFile ${KEYS}/other\n"),
    Case("IdentityAgent path", FAR + "  IdentityAgent <AGENT>\n", agent=("other",)),
    Case("IdentityAgent $VARIABLE", FAR + "  IdentityAgent $OTHER_AGENT\n", agent=("other",)),
    Case(
        "IdentityAgent SSH_AUTH_SOCK",
        FAR + "  IdentityAgent SSH_AUTH_SOCK\n",
        agent=("other",),
        variable="<AGENT>",
    ),
    Case("the agent", FAR, agent=("other", "id_ed25519"), variable="<AGENT>"),
    Case("IdentityAgent none", FAR + "  IdentityAgent none\n", agent=("other",), variable="<AGENT>"),
    Case(
        "IdentitiesOnly",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/id_ed25519\n",
        agent=("other", "id_ed25519"),
        variable="<AGENT>",
    ),
    Case(
        "a public key for the agent's",
        FAR + "  IdentitiesOnly yes\n  IdentityFile ~/.ssh/other.pub\n",
        agent=("id_ed25519", "other"),
        variable="<AGENT>",
    ),
    Case(
        "the named key of the agent first",
        FAR + "  IdentityFile ~/.ssh/other\n",
        agent=("id_ed25519", "other"),
        variable="<AGENT>",
    ),
    Case("a certificate", FAR + "  IdentityFile ~/.ssh/other\n  CertificateFile ~/.ssh/signed.pub\n"),
    Case(
        "Match exec",
        FAR.replace("  User ann\n", "") + 'Match exec "test %h = 127.0.0.1"\n  User exe\n',
        library="refuses",
    ),
    Case("Match exec that fails", 'Match exec "false"\n  User exe\n' + FAR),
    Case(
        "Match final",
        FAR.replace("  User ann\n", "") + "Match final host 127.0.0.1\n  User fin\n",
        library="differs",
    ),
    Case("Match originalhost", "Match originalhost far\n  HostName 127.0.0.1\n  Port <PORT>\n  User ann\n"),
    Case("Include", "Include conf.d/*.conf\n", more=((".ssh/conf.d/a.conf", FAR),)),
    Case(
        "the whole machine's file",
        FAR.split("  User", maxsplit=1)[0],
        system="Host far\n  User sys\n",
        library="differs",
    ),
    Case("HostKeyAlias", FAR + "  HostKeyAlias far-away\n", more=((".ssh/known_hosts", "far-away <KEY>\n"),)),
    Case(
        "UserKnownHostsFile with %d and %k",
        FAR + "  HostKeyAlias far-away\n  UserKnownHostsFile %d/.ssh/known_%k\n",
        library="refuses",
        more=ALIASED,
    ),
    Case(
        "two files of known hosts",
        FAR + "  UserKnownHostsFile ~/.ssh/none ~/.ssh/two\n",
        more=((".ssh/two", "[127.0.0.1]:<PORT> <KEY>\n"), (".ssh/known_hosts", "")),
    ),
    Case(
        "GlobalKnownHostsFile",
        FAR + "  GlobalKnownHostsFile <HOME>/all\n",
        more=(("all", "[127.0.0.1]:<PORT> <KEY>\n"), (".ssh/known_hosts", "")),
    ),
    Case("CanonicalizeHostname", FAR + "Host *\n  CanonicalizeHostname yes\n  CanonicalizeMaxDots 0\n"),
    Case(
        "AddressFamily",
        FAR.replace("127.0.0.1", "localhost") + "  AddressFamily inet\n",
        more=((".ssh/known_hosts", "[localhost]:<PORT> <KEY>\n"),),
    ),
    Case("BindAddress", FAR + "  BindAddress 127.0.0.5\n"),
    Case("Ciphers", FAR + "  Ciphers aes192-ctr\n", library="differs"),
    Case("HostKeyAlgorithms", FAR + "  HostKeyAlgorithms ssh-ed25519\n"),
    Case("ProxyJump", FAR + "  ProxyJump hop\n" + HOPS),
    Case("ProxyJump with user and port", FAR + "  ProxyJump jo@127.0.0.1:<HOP>\n"),
    Case("ProxyJump as an address", FAR + "  ProxyJump ssh://jo@127.0.0.1:<HOP>\n"),
    Case("a chain of jumps", FAR + "  ProxyJump hop,hip\n" + HOPS),
    Case("the jump host's own jump", FAR + "  ProxyJump hip\n" + HOPS + "  ProxyJump hop\n"),
    Case("ProxyJump none", FAR + "  ProxyJump none\nHost *\n  ProxyJump hop\n" + HOPS),
    Case("ProxyCommand", FAR + "  ProxyCommand <PYTHON> <HOME>/relay.py %h %p\n"),
    Case(
        "ProxyCommand that says something",
        FAR + "  ProxyCommand /bin/sh -c 'echo on >&2; exec <PYTHON> <HOME>/relay.py %h <PORT>'\n",
    ),
)


async def _prepared(world: World, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    other = (world.home / ".ssh/other").read_text()
    for name, text in case.more:
        path = world.home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(world.filled(text.replace("<KEY>", _line(world.far)).replace("<OTHER>", other)))
        path.chmod(0o600)
    (world.home / ".ssh/config").write_text(world.filled(case.config))
    (world.home / ".ssh/config").chmod(0o600)
    monkeypatch.setenv("SSH_AUTH_SOCK", world.agent)
    for name in case.agent:
        assert (await HERE.run(("ssh-add", "-q", str(world.home / ".ssh" / name)))).ok
    monkeypatch.setenv("SSH_AUTH_SOCK", world.filled(case.variable))
    if not case.variable:
        monkeypatch.delenv("SSH_AUTH_SOCK")


async def _by_ssh(*words: str) -> None:
    ssh = await asyncio.create_subprocess_exec(
        "ssh", "-o", "BatchMode=yes", *words, "true",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await ssh.communicate()
    assert ssh.returncode == 0, said.decode()


async def _by_us(node: Node) -> None:
    shell = await connect_ssh(node)
    try:
        assert (await shell.run(("true",))).ok
    finally:
        await shell.aclose()


NODE = Node(name="spark1", address="far")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_server_sees_what_it_sees_of_ssh(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    await _prepared(world, case, monkeypatch)
    with_ssh(world, tmp_path, monkeypatch, case.system)
    await _by_ssh("far")
    expected = world.take()
    assert expected["far"], "ssh came there"
    await _by_us(NODE)
    assert world.take() == expected
    # And where there is no ssh to be asked:
    without_ssh(tmp_path, monkeypatch)
    if case.library == "refuses":
        with pytest.raises(SparkError, match="spark1: "):
            await _by_us(NODE)
        return
    await _by_us(NODE)
    assert (world.take() == expected) == (case.library != "differs")


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 25


async def test_what_a_person_gave_beats_the_files(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.home / ".ssh/other"
    await _prepared(world, Case("", FAR.replace("<PORT>", "1")), monkeypatch)
    with_ssh(world, tmp_path, monkeypatch, "")
    await _by_ssh("-l", "bob", "-p", str(world.far.port), "-i", str(key), "far")
    expected = world.take()
    node = NODE.model_copy(update={"user": "bob", "port": world.far.port, "identity_file": str(key)})
    await _by_us(node)
    assert world.take() == expected
    assert expected["far"] == [("bob", "other", "127.0.0.1", "usual")]


@pytest.mark.parametrize("checking", ["no", "accept-new", "off"])
async def test_what_ssh_would_trust_unseen_is_not_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch, checking: str
) -> None:
    lax = FAR + f"  StrictHostKeyChecking {checking}\n  UserKnownHostsFile /dev/null\n"
    await _prepared(world, Case("", lax, more=((".ssh/known_hosts", ""),)), monkeypatch)
    with pytest.raises(UnknownHostKey):
        await _by_us(NODE)
    assert world.take()["far"] == []


REFUSED = (
    ("UseKeychain yes", "Bad configuration option: usekeychain"),
    ("Port many", "line 5"),
    ("IdentityFile ~/.ssh/%Q", ""),
    ("IdentityFile ${NOT_SET_ANYWHERE}/x", "NOT_SET_ANYWHERE is not set"),
    ("ProxyUseFdpass yes\n  ProxyCommand nc %h %p", "ProxyUseFdpass"),
    ("PubkeyAuthentication no", "PubkeyAuthentication no"),
    ("PreferredAuthentications password", "PreferredAuthentications"),
    ("RevokedHostKeys <HOME>/gone", "RevokedHostKeys"),
    ("ProxyCommand false", "ProxyCommand `false` leads to no SSH server"),
    ("ProxyCommand echo gone >&2", "and it said 'gone'"),
)


@pytest.mark.parametrize(("line", "said"), REFUSED, ids=[r[0][:20] for r in REFUSED])
async def test_what_cannot_be_done_is_said_with_the_word(
    world: World, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    if SSH is None:
        pytest.skip("ssh is not on this machine")
    await _prepared(world, Case("", FAR + f"  {line}\n"), monkeypatch)
    with pytest.raises(SparkError, match=r"^spark1: ") as caught:
        await _by_us(NODE)
    assert said in caught.value.cause
    assert world.take()["far"] == []


@pytest.mark.parametrize("kept", ["another key of it", "nothing", "no file"])
async def test_only_the_files_that_the_configuration_names_are_believed(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    """`UserKnownHostsFile`: what ~/.ssh/known_hosts says of that host counts no more, as with ssh."""
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    lines = {"another key of it": f"[127.0.0.1]:<PORT> {stranger}\n", "nothing": "", "no file": None}[kept]
    more = () if lines is None else ((".ssh/kept", lines),)
    case = Case("", FAR + "  UserKnownHostsFile ~/.ssh/kept\n", more=more)
    await _prepared(world, case, monkeypatch)
    with pytest.raises(ChangedHostKey if lines else UnknownHostKey):
        await _by_us(NODE)
    assert world.take()["far"] == []
    if lines:
        return
    (shown,) = await shown_keys(NODE)
    assert trust(NODE, [shown]) == world.home / ".ssh/kept"
    await _by_us(NODE)
    assert world.take()["far"] != []


async def test_a_kind_of_host_key_that_the_configuration_forbids_is_not_taken(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _prepared(world, Case("", FAR + "  HostKeyAlgorithms rsa-sha2-512\n"), monkeypatch)
    with pytest.raises(SparkError):
        await _by_us(NODE)
    assert world.take()["far"] == []


async def test_a_revoked_key_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    never = (("never", "<KEY>\n"),)
    await _prepared(world, Case("", FAR + "  RevokedHostKeys <HOME>/never\n", more=never), monkeypatch)
    with pytest.raises(ChangedHostKey, match="must not be trusted"):
        await _by_us(NODE)


@pytest.mark.parametrize("address", ["-oProxyCommand=touch x", "", "-F/dev/zero"])
def test_an_address_is_never_an_option_of_ssh(address: str) -> None:
    with pytest.raises(WrongConfig, match="cannot be a machine's address"):
        place(address)


def test_a_home_of_its_own_is_the_home(world: World) -> None:
    """A program with another HOME than the list of users says reads its own files, not the login's."""
    (world.home / ".ssh/config").write_text(world.filled(FAR) + "  IdentityFile ~/.ssh/%r\n")
    found = place("far")
    assert (found.port, found.user, found.keys) == (world.far.port, "ann", (world.home / ".ssh/ann",))


def test_one_question_for_one_answer(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a place is looked up; a file that was written is read again at once."""
    count = tmp_path / "count"
    folder = tmp_path / "counting"
    folder.mkdir()
    (folder / "ssh").write_text(f'#!/bin/sh\necho >>{count}\nexec {SSH} "$@"\n')
    (folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    if SSH is None:
        pytest.skip("ssh is not on this machine")
    (world.home / ".ssh/config").write_text(world.filled(FAR))
    for _ in range(5):
        place("far")
    assert len(count.read_text()) == 1
    (world.home / ".ssh/config").write_text(world.filled(FAR).replace("ann", "eve"))
    assert place("far").user == "eve"
