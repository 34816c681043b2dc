"""OpenSSH's own server on loopback; who may log in, and into which shell, is said later."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkconsole.model.cluster import Node
from tests.ssh_server import write_client_key

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")


def missing() -> str:
    """Why no sshd can be started here; empty when one can."""
    return "" if SSHD else "there is no sshd on this machine"


NEEDS_SSHD = pytest.mark.skipif(bool(missing()), reason=missing())
_ENTRY = """
cd "$(cat {folder}/home)" || exit 99
[ ! -e {folder}/first ] || . {folder}/first
exec env -u SHLVL -u BASH_ENV -u ENV HOME="$PWD" XDG_CONFIG_HOME="$PWD/.config" PATH="$PWD/bin:$PATH" \\
  "$(cat {folder}/shell)" -c "$SSH_ORIGINAL_COMMAND"
"""
"""What sshd does with a command: the login shell's `-c` in the home of the one who logs in. Both are chosen
here: sshd takes them from the list of users, and no test adds one to a machine."""


class OpenSshd:
    """One listening server; `shell` and `home` are those of whoever logs in next."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def enter(self, shell: str, home: Path, *, first: str = "") -> Node:
        """A login with a new key into that shell and home; `first`: what runs before, like ~/.ssh/rc."""
        if not (Path.home() / ".ssh").exists():
            write_client_key(Path.home())
        (self.folder / "keys").write_text((Path.home() / ".ssh/id_ed25519.pub").read_text())
        host_key = (self.folder / "host.pub").read_text()
        (Path.home() / ".ssh/known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        (self.folder / "shell").write_text(shell)
        (self.folder / "home").write_text(str(home))
        (self.folder / "first").write_text(first)
        return Node(name="spark1", address="127.0.0.1", user=getpass.getuser(), port=self.port)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listening(folder: Path, *lines: str) -> Iterator[OpenSshd]:
    """The server, until the end of the block; `lines` are further ones of its configuration."""
    folder.chmod(0o755)
    server = OpenSshd(folder, free_port())
    (folder / "banner").write_text("** Authorised use only. It's logged! **\n")
    (folder / "entry").write_text(_ENTRY.format(folder=folder))
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {server.port}\nHostKey {folder}/host\n"
        f"AuthorizedKeysFile {folder}/keys\n"
        "StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"Banner {folder}/banner\nForceCommand /bin/sh {folder}/entry\n" + "".join(f"{x}\n" for x in lines)
    )
    subprocess.run(
        ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "host", "-f", folder / "host"), check=True
    )
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen((str(SSHD), "-D", "-e", "-f", folder / "config"), stderr=log)
    try:
        _wait(daemon, folder / "log")
        yield server
    finally:
        daemon.terminate()
        daemon.wait(10)


def _wait(daemon: subprocess.Popen[bytes], log: Path) -> None:
    """It says when it listens."""
    until = time.monotonic() + 20
    while b"listening" not in log.read_bytes():
        assert daemon.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.01)
