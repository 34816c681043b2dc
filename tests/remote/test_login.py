"""Whom a login trusts, which keys it offers, and what a person is told when it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from sparkconsole.config.inventory import ad_hoc_node
from sparkconsole.errors import ChangedHostKey, UnknownHostKey, Unreachable, WrongConfig, WrongUsage
from sparkconsole.model.cluster import Node
from sparkconsole.remote.host_keys import known_hosts as hostkeys
from sparkconsole.remote.host_keys.known_hosts import known_hosts_file
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.ssh.connection import connect_ssh
from sparkconsole.remote.ssh.login import shown_keys
from sparkconsole.remote.ssh_config.client_config import hop_of
from tests import openssh
from tests.programs import need
from tests.ssh_server import SshServer, write_client_key

pytestmark = pytest.mark.programs


@pytest.fixture
def client_key() -> asyncssh.SSHKey:
    return write_client_key(Path.home())


@pytest.fixture
async def server(client_key: asyncssh.SSHKey) -> AsyncIterator[SshServer]:
    async with SshServer("ann", client_key).listening() as listening:
        yield listening


@pytest.fixture
async def jump(client_key: asyncssh.SSHKey) -> AsyncIterator[SshServer]:
    async with SshServer("jim", client_key).listening() as listening:
        yield listening


@pytest.fixture
def node(server: SshServer) -> Node:
    return Node(name="spark1", address="127.0.0.1", user="ann", port=server.port)


def known(*lines: str) -> None:
    known_hosts_file().write_text("\n".join((*lines, "")))


def configured(*lines: str) -> None:
    (Path.home() / ".ssh/config").write_text("\n".join((*lines, "")))


def line_of(key: asyncssh.SSHKey) -> str:
    return key.export_public_key("openssh").decode().strip()


async def gets_in(node: Node) -> bool:
    shell = await connect_ssh(node)
    try:
        return (await shell.run(("true",))).ok
    finally:
        await shell.aclose()


def other_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


async def test_another_sshd_behind_the_same_address_is_another_machine(server: SshServer, node: Node) -> None:
    known(f"127.0.0.1 {line_of(other_key())}")
    with pytest.raises(UnknownHostKey):
        await connect_ssh(node)
    keys = await shown_keys(node)
    assert hostkeys.key_trust(node, keys[0]) == "unknown"
    hostkeys.trust(node, keys)
    assert await gets_in(node)


async def test_only_other_kinds_of_keys_are_trusted(server: SshServer, node: Node) -> None:
    known(server.known_hosts_line(asyncssh.generate_private_key("ecdsa-sha2-nistp256")))
    with pytest.raises(ChangedHostKey, match="none of the kinds of host key that are trusted"):
        await connect_ssh(node)


async def test_a_revoked_key_is_never_offered_for_trust(server: SshServer, node: Node) -> None:
    known(f"@revoked {server.known_hosts_line()}")
    with pytest.raises(ChangedHostKey, match="must not be trusted"):
        await connect_ssh(node)
    (key,) = await shown_keys(node)
    assert hostkeys.key_trust(node, key) == "changed"


async def test_lines_that_are_no_entries_cost_nothing(server: SshServer, node: Node) -> None:
    path = known_hosts_file()
    path.write_bytes(b"garbage\n# caf\xe9\n@odd x y\n|1|no|hash ssh-ed25519 AAAA\n")
    hostkeys.trust(node, await shown_keys(node))
    assert await gets_in(node)
    assert path.read_bytes().startswith(b"garbage\n# caf\xe9\n")


async def test_hashed_entries_are_understood(server: SshServer, node: Node) -> None:
    need("ssh-keygen")
    known(server.known_hosts_line())
    hashing = ("ssh-keygen", "-q", "-H", "-f", str(known_hosts_file()))
    assert (await LocalShell("here").run(hashing)).ok
    assert "127.0.0.1" not in known_hosts_file().read_text()
    assert await gets_in(node)


async def test_a_changed_key_cannot_be_trusted_beside_the_old_one(server: SshServer, node: Node) -> None:
    known(server.known_hosts_line(other_key()))
    before = known_hosts_file().read_text()
    with pytest.raises(ChangedHostKey, match="another ssh-ed25519 key"):
        hostkeys.trust(node, await shown_keys(node))
    assert known_hosts_file().read_text() == before


async def test_trusting_twice_writes_once_and_under_both_names(server: SshServer) -> None:
    configured("Host short", "  HostName 127.0.0.1", f"  Port {server.port}", "  HashKnownHosts no")
    short = Node(name="spark1", address="short")
    keys = await shown_keys(short)
    hostkeys.trust(short, keys)
    path = hostkeys.trust(short, keys)
    (line,) = path.read_text().splitlines()
    assert line.startswith(f"[127.0.0.1]:{server.port},[short]:{server.port} ssh-ed25519 ")


async def test_an_absent_key_of_the_configuration_is_passed_over(server: SshServer, node: Node) -> None:
    known(server.known_hosts_line())
    configured("Host *", "  IdentityFile ~/.ssh/absent", "  IdentityFile ~/.ssh/id_ed25519")
    assert await gets_in(node)


async def test_the_identity_file_of_a_node_is_used(server: SshServer, node: Node, tmp_path: Path) -> None:
    known(server.known_hosts_line())
    moved = (Path.home() / ".ssh/id_ed25519").rename(tmp_path / "key")
    with pytest.raises(Unreachable, match="there was none to try") as caught:
        await connect_ssh(node)
    assert f"ssh-copy-id -p {server.port} ann@127.0.0.1" in caught.value.hint
    assert await gets_in(node.model_copy(update={"identity_file": str(moved)}))
    with pytest.raises(Unreachable, match="nowhere is not there"):
        await connect_ssh(node.model_copy(update={"identity_file": "~/nowhere"}))


async def test_which_keys_were_tried_is_told(server: SshServer, node: Node) -> None:
    known(server.known_hosts_line())
    server.allowed = other_key()
    with pytest.raises(Unreachable, match=r"ann@127\.0\.0\.1 refused every key \(\S+/\.ssh/id_ed25519\)"):
        await connect_ssh(node)


async def test_an_encrypted_key_is_the_agents(
    server: SshServer,
    node: Node,
    client_key: asyncssh.SSHKey,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need("ssh-agent")
    known(server.known_hosts_line())
    plain = Path.home() / ".ssh/id_ed25519"
    aside = plain.rename(tmp_path / "plain")
    client_key.write_private_key(plain, format_name="pkcs8-pem", passphrase="word")
    with pytest.raises(Unreachable, match="is encrypted and not in the agent") as caught:
        await connect_ssh(node)
    assert caught.value.hint == f"ssh-add {plain}"
    socket = f"{tmp_path}/agent"
    here = LocalShell("here")
    agent = await here.pipe(("ssh-agent", "-D", "-a", socket))
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        assert await agent.read(), "it says where it listens once it does"
        assert (await here.run(("ssh-add", "-q", str(aside)))).ok
        assert await gets_in(node)
        assert await gets_in(node.model_copy(update={"identity_file": str(plain)}))
    finally:
        await agent.kill()


async def test_a_name_that_nobody_knows() -> None:
    write_client_key(Path.home())
    with pytest.raises(Unreachable, match=r"nobody knows the name spark9\.invalid"):
        await connect_ssh(Node(name="spark9", address="spark9.invalid"))


async def test_what_is_no_ssh_server(node: Node) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match=f"127.0.0.1 port {port} closed the connection before login"):
        await connect_ssh(node.model_copy(update={"port": port}))
    listener.close()
    await listener.wait_closed()


def through(server: SshServer, jump: SshServer, *more: str) -> Node:
    configured(
        *("Host far", "  HostName 127.0.0.1", f"  Port {server.port}", "  User ann", "  ProxyJump hop"),
        *("Host hop", "  HostName 127.0.0.1", f"  Port {jump.port}", "  User jim"),
        *more,
    )
    return Node(name="spark1", address="far")


async def test_every_hop_is_verified_against_the_file_that_is_named(
    server: SshServer, jump: SshServer, tmp_path: Path
) -> None:
    own = tmp_path / "known"
    far = through(server, jump, "Host *", f"  UserKnownHostsFile {own}")
    own.write_text(f"{server.known_hosts_line()}\n{jump.known_hosts_line()}\n")
    assert await gets_in(far)
    own.write_text(f"{server.known_hosts_line()}\n")
    with pytest.raises(UnknownHostKey, match="its jump host hop") as caught:
        await connect_ssh(far)
    assert caught.value.fingerprint == jump.fingerprint
    assert caught.value.hint.endswith("node trust hop")
    own.write_text(f"{server.known_hosts_line()}\n{jump.known_hosts_line(other_key())}\n")
    with pytest.raises(ChangedHostKey, match="its jump host hop"):
        await connect_ssh(far)


async def test_keys_are_shown_through_a_jump_host_that_is_trusted(server: SshServer, jump: SshServer) -> None:
    far = through(server, jump)
    with pytest.raises(UnknownHostKey, match="jump host"):
        await shown_keys(far)
    known(jump.known_hosts_line())
    (key,) = await shown_keys(far)
    assert key.fingerprint == server.fingerprint
    assert jump.logins == ["jim"], "one login, however many kinds of keys are asked for"
    hostkeys.trust(far, (key,))
    assert await gets_in(far)


async def test_a_jump_host_for_everybody_is_not_its_own(server: SshServer, jump: SshServer) -> None:
    far = through(server, jump, "Host *", "  ProxyJump hop")
    known(server.known_hosts_line(), jump.known_hosts_line())
    assert await gets_in(far)
    assert jump.logins == ["jim"]


async def test_jump_hosts_in_a_circle(server: SshServer, jump: SshServer) -> None:
    hops = [line for i in range(20) for line in (f"Host hop{i}", f"  ProxyJump hop{i + 1}")]
    configured("Host far", "  ProxyJump hop0", *hops)
    with pytest.raises(WrongConfig, match="more than 8 machines"):
        await connect_ssh(Node(name="spark1", address="far"))


async def test_the_connection_through_a_jump_host_ends_whole(server: SshServer, jump: SshServer) -> None:
    far = through(server, jump)
    known(server.known_hosts_line(), jump.known_hosts_line())
    shell = await connect_ssh(far)
    jump.cut()
    async with asyncio.timeout(10):
        with pytest.raises(Unreachable):
            await shell.run(("true",))
    assert shell.closed
    await shell.aclose()


async def test_a_machine_behind_the_jump_host_that_is_off(server: SshServer, jump: SshServer) -> None:
    far = through(server, jump)
    known(server.known_hosts_line(), jump.known_hosts_line())
    free = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()
    with pytest.raises(Unreachable, match="its jump host cannot reach"):
        await connect_ssh(far.model_copy(update={"port": port}))


@pytest.mark.parametrize(
    ("word", "user", "host", "port"),
    [
        ("jim@hop:2222", "jim", "hop", 2222),
        ("hop:2222", None, "hop", 2222),
        ("jim@[fe80::1]:22", "jim", "fe80::1", 22),
        ("fe80::1", None, "fe80::1", 22),
        ("ssh://jim@hop:2222", "jim", "hop", 2222),
    ],
)
def test_a_jump_host_as_it_may_be_written(word: str, user: str | None, host: str, port: int) -> None:
    hop = hop_of(word)
    assert (hop.host, hop.port) == (host, port)
    assert user is None or hop.user == user


async def test_a_jump_host_on_another_port_can_be_trusted(server: SshServer, jump: SshServer) -> None:
    """As the hint says it, word for word."""
    configured(
        *("Host far", "  HostName 127.0.0.1", f"  Port {server.port}", "  User ann"),
        f"  ProxyJump jim@127.0.0.1:{jump.port}",
    )
    far = Node(name="spark1", address="far")
    known(server.known_hosts_line())
    with pytest.raises(UnknownHostKey) as caught:
        await connect_ssh(far)
    word = caught.value.hint.rpartition("node trust ")[2]
    assert word == f"127.0.0.1:{jump.port}"
    meant = ad_hoc_node(word)
    hostkeys.trust(meant, await shown_keys(meant))
    assert await gets_in(far)


@pytest.mark.parametrize(
    ("word", "address", "port", "user"),
    [
        ("hop:2222", "hop", 2222, None),
        ("jim@hop:2222", "hop", 2222, "jim"),
        ("[fe80::1]:2222", "fe80::1", 2222, None),
        ("[fe80::1%eth0]:2222", "fe80::1%eth0", 2222, None),
        ("fe80::1", "fe80::1", None, None),
        ("hop", "hop", None, None),
        ("ssh://jim@hop:2222/", "hop", 2222, "jim"),
    ],
)
def test_a_machine_with_its_port_in_one_word(
    word: str, address: str, port: int | None, user: str | None
) -> None:
    node = ad_hoc_node(word)
    assert (node.address, node.port, node.user) == (address, port, user)


@pytest.mark.parametrize("word", ["-oProxyCommand=id", "hop:99999", "*", "a\nb", "jim;x@hop", "-l@hop", ""])
def test_what_can_be_no_machine_is_refused(word: str) -> None:
    with pytest.raises(WrongUsage, match="names no node"):
        ad_hoc_node(word)


@pytest.mark.parametrize("kinds", [("ecdsa-sha2-nistp256",), ("ssh-rsa", "ecdsa-sha2-nistp521")])
async def test_a_real_sshd_that_has_no_key_of_a_trusted_kind(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    """OpenSSH's server hangs up then; that is no matter of MaxStartups."""
    if openssh.missing():
        pytest.skip(openssh.missing())
    with openssh.listening(tmp_path) as sshd:
        node = sshd.enter("/bin/sh", tmp_path)
        assert await gets_in(node)
        (shown,) = await shown_keys(node)
        keys = [asyncssh.generate_private_key(kind) for kind in kinds]
        known(*(f"[127.0.0.1]:{sshd.port} {line_of(key)}" for key in keys))
        with pytest.raises(ChangedHostKey) as caught:
            await connect_ssh(node)
        for word in (*kinds, "ssh-ed25519", shown.fingerprint):
            assert word in caught.value.cause
        assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}'" in caught.value.hint
        assert "node trust spark1" in caught.value.hint
        # One of the right kind beside them is enough.
        lines = [line_of(key) for key in keys] + [shown.line]
        known(*(f"[127.0.0.1]:{sshd.port} {line}" for line in lines))
        assert await gets_in(node)
