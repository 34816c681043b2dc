"""How a server is reached, for asyncssh, out of a Place: nothing is looked up in any file a second time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncssh
from asyncssh.kex import get_kex_algs

from sparkconsole.remote.ssh_config.place import SshDestination


class ProxyCommand:
    """A ProxyCommand as ssh runs it: its standard input and output are the connection, and it ends with that.

    It has no terminal: nobody is ever asked for a word.
    """

    def __init__(self, line: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.last_words = ""
        """The last line that it said to a person, once it has ended."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as it runs
        with theirs:
            self._process = subprocess.Popen(
                ("/bin/sh", "-c", f"exec {line}"),
                stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._errors, start_new_session=True,
            )  # fmt: skip
        # Nobody asks for its status: a thread takes it, so that nothing of it is left in the process list.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def end(self) -> None:
        """It ends, and what it started; what it said is kept."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self.socket.close()
        if not self._errors.closed:
            self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 1000))
            lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            self.last_words = lines[-1][:200] if lines else ""
            self._errors.close()


@dataclass(frozen=True, slots=True)
class LoginTarget:
    """One server on the way to a node: the node itself, or with `jump` a jump host before it."""

    there: SshDestination
    node: str
    tunnel: asyncssh.SSHClientConnection | None = None
    """Through the jump host before it."""
    jump: bool = False

    @property
    def subject(self) -> str:
        """The server in a sentence about the node."""
        return f"its jump host {self.there.address}" if self.jump else "it"


def proxy_of(target: LoginTarget) -> ProxyCommand | None:
    """The ProxyCommand, started, where the way begins with one."""
    return ProxyCommand(target.there.proxy) if target.there.proxy and target.tunnel is None else None


def route(target: LoginTarget, proxy: ProxyCommand | None) -> dict[str, Any]:
    """Port, tunnel, proxy, family, own address and key exchange, as options of asyncssh."""
    there, tunnel = target.there, target.tunnel
    ways: dict[str, Any] = {"port": there.port, "config": None}
    if tunnel is not None:
        ways["tunnel"] = tunnel
    elif proxy is not None:
        ways["sock"] = proxy.socket
    elif family := {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(there.family):
        ways["family"] = family
    if there.bind and tunnel is None and proxy is None:
        ways["local_addr"] = (there.bind, 0)
    if exchanges := both(there.key_exchanges, get_kex_algs()):
        ways["kex_algs"] = exchanges
    return ways


def both(names: Sequence[str], ours: Sequence[bytes]) -> list[str]:
    """What the configuration allows and the library can do."""
    return [name for name in names if name.encode() in ours]
