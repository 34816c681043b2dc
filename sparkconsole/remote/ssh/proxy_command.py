"""A ProxyCommand as ssh runs it: its standard input and output are the connection, and it ends with that."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading


class ProxyCommand:
    """The running command. It has no terminal: nobody is ever asked for a word."""

    def __init__(self, line: str) -> None:
        self.socket, theirs = socket.socketpair()
        self.last_words = ""
        """The last line that it said to a person, once it has ended."""
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as it runs
        with theirs:
            self._process = subprocess.Popen(
                ("/bin/sh", "-c", f"exec {line}"),
                stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._said, start_new_session=True,
            )  # fmt: skip
        # Nobody asks for its status: a thread takes it, so that nothing of it is left in the process list.
        threading.Thread(target=self._process.wait, daemon=True).start()

    def end(self) -> None:
        """It ends, and what it started; what it said is kept."""
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self.socket.close()
        if not self._said.closed:
            self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 1000))
            lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
            self.last_words = lines[-1][:200] if lines else ""
            self._said.close()
