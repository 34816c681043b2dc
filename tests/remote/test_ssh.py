"""SshShell against a real SSH server on loopback: what it promises, it does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from sparkconsole.errors import (
    ChangedHostKey,
    CommandFailed,
    SparkError,
    TimedOut,
    UnknownHostKey,
    Unreachable,
)
from sparkconsole.model.cluster import Node
from sparkconsole.remote.follow import followed
from sparkconsole.remote.host_keys import known_hosts as hostkeys
from sparkconsole.remote.host_keys.known_hosts import known_hosts_file
from sparkconsole.remote.http import get_json
from sparkconsole.remote.ssh.connection import SshShell, connect_ssh
from sparkconsole.remote.ssh.login import shown_keys
from sparkconsole.remote.ssh_config.client_config import place_of
from tests.ssh_server import SshServer, write_client_key

ARGUMENTS = ("a b", '{"x": "$y"}', "ü", "it's", "back\\slash", "new\nline", "", "`id`", "$(id)", "*", "-n")
PRINT_ARGV = (sys.executable, "-c", "import sys, json; print(json.dumps(sys.argv[1:]))")


@pytest.fixture
def client_key() -> asyncssh.SSHKey:
    return write_client_key(Path.home())


@pytest.fixture
async def server(client_key: asyncssh.SSHKey) -> AsyncIterator[SshServer]:
    async with SshServer("ann", client_key).listening() as listening:
        yield listening


@pytest.fixture
def node(server: SshServer) -> Node:
    return Node(name="spark1", address="127.0.0.1", user="ann", port=server.port)


def trusted(server: SshServer) -> None:
    with known_hosts_file().open("a") as file:
        file.write(server.known_hosts_line() + "\n")


@pytest.fixture
async def shell(server: SshServer, node: Node) -> AsyncIterator[SshShell]:
    trusted(server)
    shell = await connect_ssh(node)
    yield shell
    await shell.aclose()


async def test_arguments_arrive_byte_for_byte(shell: SshShell) -> None:
    done = await shell.run((*PRINT_ARGV, *ARGUMENTS))
    assert json.loads(done.checked().text) == list(ARGUMENTS)


async def test_status_output_and_errors_come_back_apart(shell: SshShell) -> None:
    done = await shell.run(("sh", "-c", "cat; echo bad >&2; exit 7"), stdin=b"\x00\xff in")
    assert (done.status, done.stdout, done.stderr) == (7, b"\x00\xff in", b"bad\n")
    with pytest.raises(CommandFailed, match="status 7: bad") as caught:
        done.checked()
    assert caught.value.node == "spark1"


async def test_an_unknown_key_is_refused_with_its_fingerprint(server: SshServer, node: Node) -> None:
    with pytest.raises(UnknownHostKey) as caught:
        await connect_ssh(node)
    assert caught.value.fingerprint == server.fingerprint
    assert "node trust spark1" in caught.value.hint
    assert server.logins == [], "nobody logged in at a machine that is not trusted"


async def test_a_changed_key_is_refused(server: SshServer, node: Node) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    known_hosts_file().write_text(server.known_hosts_line(other))
    with pytest.raises(ChangedHostKey, match="another host key") as caught:
        await connect_ssh(node)
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in caught.value.hint
    assert server.logins == []


async def test_a_key_that_was_shown_and_trusted_lets_in(server: SshServer, node: Node) -> None:
    known_hosts_file().write_text("elsewhere ssh-ed25519 AAAA")
    keys = await shown_keys(node)
    assert [k.fingerprint for k in keys] == [server.fingerprint]
    assert hostkeys.key_trust(node, keys[0]) == "unknown"
    path = hostkeys.trust(node, keys)
    assert path.read_text().startswith("elsewhere ssh-ed25519 AAAA\n"), "what stood there stands there"
    assert path.stat().st_mode & 0o077 == 0
    assert hostkeys.key_trust(node, keys[0]) == "trusted"
    shell = await connect_ssh(node)
    await shell.aclose()


async def test_a_key_of_the_same_kind_that_differs_has_changed(server: SshServer, node: Node) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    known_hosts_file().write_text(server.known_hosts_line(other))
    (key,) = await shown_keys(node)
    assert hostkeys.key_trust(node, key) == "changed"


async def test_a_user_that_is_not_let_in_is_told_so(server: SshServer, node: Node) -> None:
    trusted(server)
    with pytest.raises(Unreachable, match=r"bob@127\.0\.0\.1 refused every key") as caught:
        await connect_ssh(node.model_copy(update={"user": "bob"}))
    assert "ssh-copy-id" in caught.value.hint


async def test_nobody_listens(node: Node) -> None:
    listener = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    with pytest.raises(Unreachable, match="refused the connection"):
        await connect_ssh(node.model_copy(update={"port": port}))


async def test_a_machine_that_never_says_a_word(node: Node) -> None:
    taken: list[asyncio.StreamWriter] = []
    listener = await asyncio.start_server(lambda _r, w: taken.append(w), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="no answer"):
        await connect_ssh(node.model_copy(update={"port": port}), connect_timeout=0.2)
    for writer in taken:
        writer.close()
    listener.close()
    await listener.wait_closed()


async def test_a_key_that_needs_a_word_is_told_so(server: SshServer, node: Node, tmp_path: Path) -> None:
    trusted(server)
    locked = tmp_path / "locked"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(
        locked, format_name="pkcs8-pem", passphrase="secret"
    )
    with pytest.raises(Unreachable, match="locked is encrypted and not in the agent") as caught:
        await connect_ssh(node.model_copy(update={"identity_file": str(locked)}))
    assert caught.value.hint == f"ssh-add {locked}"


async def test_a_broken_client_configuration_is_told(server: SshServer, node: Node) -> None:
    trusted(server)
    (Path.home() / ".ssh/config").write_text("Port many\n")
    with pytest.raises(SparkError, match=r"\.ssh/config"):
        await connect_ssh(node.model_copy(update={"port": None}))


async def test_a_connection_that_breaks_under_a_command(shell: SshShell, server: SshServer) -> None:
    running = asyncio.create_task(shell.run(("sh", "-c", "echo on >&2; sleep 60")))
    async with asyncio.timeout(10):
        await server.began.wait()
        server.cut()
        with pytest.raises(Unreachable, match="connection was lost"):
            await running
        with pytest.raises(Unreachable):
            await shell.run(("true",))
    assert shell.closed


async def test_lines_whose_connection_breaks_do_not_end_quietly(shell: SshShell, server: SshServer) -> None:
    lines = followed(shell, ("sh", "-c", "echo one; sleep 60"))
    assert await anext(lines) == "one"
    server.cut()
    with pytest.raises(Unreachable):
        async with asyncio.timeout(10):
            await anext(lines)


async def test_a_pipe_whose_connection_breaks_is_unreachable(shell: SshShell, server: SshServer) -> None:
    pipe = await shell.pipe(("sh", "-c", "echo one; cat"))
    assert await pipe.read() == b"one\n"
    server.cut()
    async with asyncio.timeout(10):
        with pytest.raises(Unreachable):
            await pipe.read()
        with pytest.raises(Unreachable):
            await pipe.wait()
    await pipe.kill()


async def test_a_command_without_an_end_is_ended(shell: SshShell) -> None:
    with pytest.raises(TimedOut, match="sleep 60") as caught:
        await shell.run(("sleep", "60"), timeout=0.2)
    assert caught.value.node == "spark1"
    assert (await shell.run(("echo", "still"))).text == "still\n", "the connection is as good as before"


async def test_secrets_reach_the_command_and_nothing_else(shell: SshShell, server: SshServer) -> None:
    done = await shell.run(
        ("sh", "-c", 'echo "$HF_TOKEN|$KEY"; cat'),
        stdin=b"more",
        secrets={"HF_TOKEN": "hf_s3cret", "KEY": "a 'b'"},
    )
    assert done.text == "hf_s3cret|a 'b'\nmore"
    assert "hf_s3cret" not in "".join(server.commands)


async def test_lines_of_any_kind(shell: SshShell) -> None:
    code = r"import sys; w = sys.stdout.buffer.write; w(b'10%\r20%\r\nnul\0\n\xff\xfe\n\n')"
    code += r"; w(b'x' * 3_000_000 + b'\nlast')"
    lines = [line async for line in followed(shell, (sys.executable, "-c", code))]
    assert lines[:4] == ["10%", "20%", "nul\0", "\ufffd\ufffd"]
    assert "".join(lines[4:-1]) == "x" * 3_000_000
    assert max(map(len, lines)) < 2_000_000, "no machine fills our memory with one line"
    assert lines[-1] == "last"


async def test_lines_of_a_command_that_fails(shell: SshShell) -> None:
    lines = followed(shell, ("sh", "-c", "echo out; echo err >&2; exit 3"))
    assert await anext(lines) == "out"
    with pytest.raises(CommandFailed, match=r"status 3.*err"):
        await anext(lines)


async def test_a_pipe_carries_bytes_both_ways(shell: SshShell) -> None:
    data = bytes(range(256)) * 4096
    pipe = await shell.pipe(("sh", "-c", "cat; echo said >&2; exit 4"))
    feeding = asyncio.create_task(pipe.write(data))
    got = b""
    while len(got) < len(data):
        got += await pipe.read()
    await feeding
    await pipe.close_input()
    assert await pipe.read() == b""
    done = await pipe.wait()
    assert (got == data, done.status, done.stderr) == (True, 4, b"said\n")


async def test_a_pipe_that_is_killed_is_gone(shell: SshShell) -> None:
    pipe = await shell.pipe(("sh", "-c", "echo ready; cat"))
    assert await pipe.read() == b"ready\n"
    await pipe.kill()
    assert (await shell.run(("true",))).ok


async def test_the_sockets_of_the_node_are_reached(shell: SshShell, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\n{"a": 1}')
        await writer.drain()
        writer.close()

    tcp = await asyncio.start_server(answer, "127.0.0.1", 0)
    path = tmp_path / "engine.sock"
    unix = await asyncio.start_unix_server(answer, path)
    port = tcp.sockets[0].getsockname()[1]
    try:
        for target in (f"127.0.0.1:{port}", str(path)):
            assert await get_json(shell, target, "/x") == {"a": 1}
            assert await shell.open_socket(target) == await shell.open_socket(target), "forwarded once"
        with pytest.raises(SparkError, match="nothing answers"):
            await get_json(shell, str(tmp_path / "absent.sock"), "/x")
        endpoint = await shell.open_socket(str(path))
        await shell.aclose()
        left = await asyncio.to_thread(os.path.exists, endpoint.path)
        assert not left, "nothing is left on this machine"
    finally:
        for one in (tcp, unix):
            one.close()
            await one.wait_closed()


async def test_one_login_whatever_is_asked(shell: SshShell, server: SshServer) -> None:
    await asyncio.gather(*(shell.run(("echo", str(i))) for i in range(20)))
    pipe = await shell.pipe(("true",))
    await pipe.wait()
    await pipe.kill()
    assert len(server.commands) == 21
    assert server.logins == ["ann"]


async def test_the_clients_configuration_is_honoured(server: SshServer) -> None:
    short = Node(name="spark1", address="short")
    (Path.home() / ".ssh/config").write_text(
        f"Host short\n  HostName 127.0.0.1\n  Port {server.port}\n  User ann\n"
    )
    assert place_of(short).port == server.port
    hostkeys.trust(short, await shown_keys(short))
    shell = await connect_ssh(short)
    assert (await shell.run(("echo", "in"))).text == "in\n"
    await shell.aclose()
    assert server.logins == ["ann"]


async def test_a_jump_host_carries_the_connection(server: SshServer, client_key: asyncssh.SSHKey) -> None:
    async with SshServer("jim", client_key).listening() as jump:
        (Path.home() / ".ssh/config").write_text(
            f"Host far\n  HostName 127.0.0.1\n  Port {server.port}\n  User ann\n  ProxyJump hop\n"
            f"Host hop\n  HostName 127.0.0.1\n  Port {jump.port}\n  User jim\n"
        )
        far = Node(name="spark1", address="far")
        trusted(server)
        with pytest.raises(Unreachable, match="jump host"):
            await connect_ssh(far)
        trusted(jump)
        shell = await connect_ssh(far)
        assert (await shell.run(("echo", "through"))).text == "through\n"
        await shell.aclose()
        assert jump.tunnels[-1] == ("127.0.0.1", server.port)
        assert (server.logins, jump.logins) == (["ann"], ["jim"])


async def test_who_waits_for_a_frozen_node_is_let_go_when_its_connection_is_cut(
    server: SshServer, shell: SshShell
) -> None:
    """A frozen node takes bytes and answers none; that a console's process ends is not shown here."""
    asked = asyncio.create_task(shell.run(("cat",), timeout=600))
    await server.began.wait()
    for connection in server.connections:
        connection._transport.pause_reading()  # type: ignore[union-attr]
    ending = asyncio.create_task(shell.run(("true",), timeout=600))
    await asyncio.sleep(0)
    shell.cut()
    for waiting in (asked, ending):
        with pytest.raises(Unreachable):
            await waiting
    await shell.aclose()
