"""SshShell against OpenSSH's own server: what is given up ends there, and nobody runs out of sessions."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from sparkconsole.errors import TimedOut, TooMuch, Unreachable
from sparkconsole.model.cluster import Node
from sparkconsole.remote.follow import followed
from sparkconsole.remote.host_keys import known_hosts as hostkeys
from sparkconsole.remote.http import get_json
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Pipe
from sparkconsole.remote.ssh.connection import SshShell, connect_ssh
from sparkconsole.remote.ssh.login import shown_keys
from sparkconsole.remote.ssh.pipe import SshPipe
from tests.ssh_server import write_client_key

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
HERE = LocalShell("here")

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(SSHD is None, reason="there is no sshd on this machine"),
]


async def _started(folder: Path, port: int, more: str = "") -> Pipe:
    """sshd, listening; it says so."""
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/keys\n"
        "StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"{more}"
    )
    assert (await HERE.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/host"))).ok
    daemon = await HERE.pipe(
        ("sh", "-c", 'exec "$@" 2>&1', "d", str(SSHD), "-D", "-e", "-f", f"{folder}/config")
    )
    async with asyncio.timeout(20):
        assert b"listening" in await daemon.read()
    return daemon


@pytest.fixture
async def shell(tmp_path: Path) -> AsyncIterator[SshShell]:
    write_client_key(Path.home())
    (tmp_path / "keys").write_text((Path.home() / ".ssh/id_ed25519.pub").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = await _started(tmp_path, port)
    try:
        node = Node(name="spark1", address="127.0.0.1", user=getpass.getuser(), port=port)
        hostkeys.trust(node, await shown_keys(node))
        shell = await connect_ssh(node)
        yield shell
        await shell.aclose()
    finally:
        await daemon.kill()


async def gone(pid: str) -> bool:
    """The process ended (or is only a zombie); waited for within reason."""
    for _ in range(400):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()  # noqa: ASYNC240 - no disk
        except OSError:
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        await asyncio.sleep(0.02)
    return False


# A child that reads nothing and writes nothing: neither the end of its input nor of its output ends it.
QUIET = 'sleep 600 </dev/null & echo "$!"; wait'


async def test_what_took_too_long_ends_on_the_node(shell: SshShell, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(TimedOut):
        await shell.run(("sh", "-c", f"{{ {QUIET}; }} >{pid}"), timeout=2)
    assert await gone(pid.read_text().strip())


async def test_lines_that_nobody_reads_any_more_end_on_the_node(shell: SshShell) -> None:
    lines = followed(shell, ("sh", "-c", QUIET))
    pid = await anext(lines)
    await lines.aclose()
    assert await gone(pid)


async def test_a_pipe_that_is_killed_ends_on_the_node(shell: SshShell) -> None:
    pipe = await shell.pipe(("sh", "-c", f"echo said >&2; {QUIET}"))
    pid = (await pipe.read()).decode().strip()
    await pipe.kill()
    assert await gone(pid)


async def test_a_pipes_errors_are_the_commands_own(shell: SshShell) -> None:
    pipe = await shell.pipe(("sh", "-c", "echo said >&2; exit 3"))
    assert await pipe.read() == b""
    done = await pipe.wait()
    assert (done.status, done.stderr) == (3, b"said\n")
    await pipe.kill()


@pytest.mark.parametrize("where", ["the command", "the login shell"])
async def test_errors_without_end_end_the_command(where: str, shell: SshShell) -> None:
    """Nobody reads them: only their end of the line is kept, and each costs us a turn."""
    if where == "the command":
        pipe = await shell.pipe(("sh", "-c", "yes >&2"))
    else:
        process = await shell.connection.create_process("yes >&2", encoding=None)
        pipe = SshPipe("spark1", shell.connection, partial(shell._end, "mark"), ("yes",), process, "mark")
    async with asyncio.timeout(60):
        with pytest.raises((TooMuch, Unreachable), match="says too much"):
            await ended(pipe)
    await pipe.kill()


async def ended(pipe: Pipe) -> None:
    while await pipe.read():
        pass
    await pipe.wait()


DETACHED = 'setsid sleep 600 >/dev/null 2>&1 </dev/null & echo "$!"'


async def test_a_detached_child_outlives_what_has_ended(shell: SshShell) -> None:
    pid = (await shell.run(("sh", "-c", DETACHED))).checked().text.strip()
    assert (await shell.run(("kill", pid))).ok, "it still ran"
    assert await gone(pid)


async def test_a_detached_child_does_not_outlive_what_is_ended(shell: SshShell) -> None:
    pipe = await shell.pipe(("sh", "-c", f"{DETACHED}; exec sleep 600"))
    pid = (await pipe.read()).decode().strip()
    await pipe.kill()
    assert await gone(pid)


async def test_a_detached_child_does_not_outlive_the_time_of_its_command(shell: SshShell) -> None:
    with pytest.raises(TimedOut):
        await shell.run(("sh", "-c", f"({DETACHED}) >pid; exec sleep 600"), timeout=1)
    assert await gone((await shell.run(("cat", "pid"))).text.strip())


async def test_more_commands_than_sessions_wait_for_each_other(shell: SshShell) -> None:
    followers = [followed(shell, ("sh", "-c", "echo on; exec sleep 600")) for _ in range(7)]
    for follower in followers:
        assert await anext(follower) == "on"
    done = await asyncio.gather(*(shell.run(("echo", str(i))) for i in range(20)))
    assert [d.text for d in done] == [f"{i}\n" for i in range(20)]
    for follower in followers:
        await follower.aclose()


async def test_what_a_lost_node_answers_is_unknown(shell: SshShell) -> None:
    await shell.open_socket("127.0.0.1:9")
    shell.connection.abort()
    async with asyncio.timeout(10):
        await shell.connection.wait_closed()
        with pytest.raises(Unreachable):
            await get_json(shell, "127.0.0.1:9", "/")


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("Banner {folder}/banner", "a login banner that is not UTF-8", "`Banner none`"),
        ("MaxAuthTries 1", "was offered more keys than it lets anybody try", "IdentitiesOnly"),
    ],
)
async def test_why_a_server_ends_a_login_is_said(tmp_path: Path, line: str, said: str, hint: str) -> None:
    """Neither is a matter of too many logins at once, and ssh itself comes in past the first."""
    (tmp_path / "banner").write_bytes("Zugriff nur f\u00fcr Befugte\n".encode("latin-1"))
    (tmp_path / "keys").write_text("")
    write_client_key(Path.home())
    for name in ("id_rsa", "id_ecdsa"):
        kind = name.removeprefix("id_")
        path = str(Path.home() / ".ssh" / name)
        assert (await HERE.run(("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path))).ok
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    daemon = await _started(tmp_path, port, line.format(folder=tmp_path) + "\n")
    try:
        node = Node(name="spark1", address="127.0.0.1", user=getpass.getuser(), port=port)
        hostkeys.trust(node, await shown_keys(node))
        with pytest.raises(Unreachable, match=said) as caught:
            await connect_ssh(node)
        assert hint in caught.value.hint
        assert "MaxStartups" not in str(caught.value)
    finally:
        await daemon.kill()
