"""The sender's part: a reader of layers in a container of the image, and one ssh that carries it all.

Nothing is shown to the network: the reader listens in the job's folder, and ssh ends it at a port of the
receiver's loopback. What cannot be done this way is said and left to the caller (status 75).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from typing import Any, BinaryIO, cast

from sparkconsole.remote.image_program.loading import blob_name
from sparkconsole.remote.image_program.protocol import BOOT, FALL_BACK, Wrong, give, last_line, program, say
from sparkconsole.remote.image_program.receiving import STOPPED, receive
from sparkconsole.remote.image_program.saving import save
from sparkconsole.remote.image_program.serving import SOCKET, serve

CANNOT_LOG_IN = 255
PORTS = (30000, 60000)
PULSE_S, READY_S, GRACE_S = 3.0, 60.0, 4.0
LONGEST_SOCKET = 100
"""The kernel takes 107 bytes; ssh needs some for itself."""
SYSTEM = "/var/lib/containerd"
"""Where the system's own containerd keeps images."""


class CopyStopped(Exception):
    """Somebody does not want the copy any more."""


def _stop(*_: object) -> None:
    raise CopyStopped


class OtherEnd:
    """A process that reads this program from its input; what it complains of is kept."""

    def __init__(self, argv: list[str], stdout: int) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as it runs
        self.run = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=stdout, stderr=self.errors, start_new_session=True
        )
        self.input = cast(BinaryIO, self.run.stdin)
        with contextlib.suppress(OSError):  # it ended at once, and says why
            give(self.input, program())


class Reader(OtherEnd):
    """The container that reads the layers."""

    def __init__(self, words: dict[str, Any], folder: str) -> None:
        self.name, self.folder = words["reader"], folder
        super().__init__(reader_argv(words, folder), subprocess.DEVNULL)

    def wait_ready(self) -> None:
        """Until it answers; Wrong with its last words when it ends instead."""
        until = time.monotonic() + READY_S
        while not os.path.exists(os.path.join(self.folder, SOCKET)):
            if self.run.poll() is not None or time.monotonic() > until:
                raise Wrong("the layers cannot be read: " + self.last_words())
            time.sleep(0.01)

    def last_words(self) -> str:
        """What it said last, once it has ended."""
        self.close()
        return last_line(self.errors)

    def close(self) -> None:
        """It ends by itself when its input does; its container goes with it."""
        with contextlib.suppress(OSError):
            self.input.close()
        try:
            self.run.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            remove = ("docker", "rm", "-f", self.name)
            subprocess.run(remove, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            self.run.kill()


def reader_argv(words: dict[str, Any], folder: str) -> list[str]:
    """Without `--log-driver none` the engine would write what the reader says to its log as well; without a
    network nobody but the job's folder reaches it."""
    root, system = words["root"], SYSTEM if os.path.isdir(SYSTEM) else ""
    mounts = [f"{root}:/store:ro", f"{folder}:/job"] + ([f"{system}:/system:ro"] if system else [])
    flags = ["--rm", "-i", "--name", words["reader"], "--network", "none", "--log-driver", "none"]
    flags += ["--read-only", "--user", "0:0", "--entrypoint", "python3"]
    asked = ["serve", "/job", "/store", "/system", words["image"], words["platform"]]
    volumes = [word for mount in mounts for word in ("-v", mount)]
    return ["docker", "run", *flags, *volumes, words["image"], "-u", "-c", BOOT, *asked]


class Far(OtherEnd):
    """The receiver's part, at the other end of one ssh."""

    def __init__(self, words: dict[str, Any], folder: str) -> None:
        self.port = random.randrange(*PORTS)  # noqa: S311 - any free one will do
        asked = {**{key: words[key] for key in ("way", "platform", "layers", "names")}, "port": self.port}
        argv = far_argv(words["ssh"], self.port, folder, asked, far_environment(words))
        super().__init__(argv, subprocess.PIPE)
        self.end: dict[str, Any] = {}
        self._over, self._word = threading.Event(), b"on\n"
        threading.Thread(target=self._beat, daemon=True).start()

    def begin(self) -> None:
        """The layers can be read now."""
        self._word = b"go\n"
        self._write(self._word)

    def _beat(self) -> None:
        """It is told again and again that we are there."""
        while self._write(self._word) and not self._over.wait(PULSE_S):
            pass

    def _write(self, data: bytes) -> bool:
        try:
            self.input.write(data)
            self.input.flush()
        except (OSError, ValueError):
            return False
        return True

    def follow(self) -> None:
        """Passes on what it says, until its end."""
        for line in cast(BinaryIO, self.run.stdout):
            try:
                message = json.loads(line)
            except ValueError:
                continue  # a login's greeting
            self.end = message if message.get("end") else {}
            if "error" not in self.end:
                say(**message)
            if self.end:
                # An engine keeps its connections for minutes, and ssh stays for them.
                self.run.terminate()
        self._over.set()
        self.run.wait()

    def require_done(self) -> None:
        """Wrong when the image is not there. A connection that was lost or refused is final."""
        if self.end and "error" not in self.end:
            return
        if self.end:
            raise Wrong(self.end["error"], self.end.get("final", False))
        why = last_line(self.errors) or f"the receiver's part ended with {self.run.returncode}"
        refused = "forwarding failed" in why or "forwarding is disabled" in why
        raise Wrong(why, final=self.run.returncode == CANNOT_LOG_IN and not refused)

    def stop(self) -> None:
        """It cleans up behind itself, and goes on with that when we are gone."""
        self._over.set()
        self._write(b"stop\n")
        try:
            self.run.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.run.kill()

    def close(self) -> None:
        """Whatever it does, it ends."""
        self._over.set()
        if self.run.poll() is None:
            self.run.kill()
            self.run.wait()


def far_environment(words: dict[str, Any]) -> str:
    """What a command of the receiver has to be told so that it means the engine that the console means."""
    host = words.get("docker_host") or ""
    return f"env DOCKER_HOST={shlex.quote(host)} " if host else ""


def far_argv(ssh: list[str], port: int, folder: str, words: dict[str, Any], before: str = "") -> list[str]:
    """The layers' socket becomes a port of the receiver's loopback; without that there is no copy.

    ssh takes the first value of an option: this one counts, not that of `ssh`, which forwards nothing.
    """
    there = f"127.0.0.1:{port}:{os.path.join(folder, SOCKET)}"
    forward = ["-o", "ClearAllForwardings=no", "-o", "ExitOnForwardFailure=yes", "-R", there]
    program = ["python3", "-u", "-c", shlex.quote(BOOT), "receive", shlex.quote(json.dumps(words))]
    return [ssh[0], *forward, *ssh[1:], before + " ".join(program)]


def copy(words: dict[str, Any]) -> None:
    """One copy; Wrong when it did not come to its end."""
    with contextlib.ExitStack() as stack:
        folder = os.getcwd()
        if len(os.path.join(folder, SOCKET)) >= LONGEST_SOCKET:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sparkconsole-"))
        reader, far = Reader(words, folder), Far(words, folder)
        try:
            reader.wait_ready()
            far.begin()
            far.follow()
            try:
                far.require_done()
            except Wrong as error:
                # A reader that fails is seen at the receiver as an end too early; its own words come first.
                first = reader.last_words() if "could not be read" in str(error) else ""
                raise Wrong(first or str(error), error.final) from None
        except CopyStopped:
            far.stop()
            raise
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            far.close()
            reader.close()


def save_instead(words: dict[str, Any]) -> None:
    """`docker save` without what the receiver has."""
    sent = save(words["names"], words["ssh"], set(words["known"]), far_environment(words))
    say(end=True, sent=sent)


def send(path: str, shared: int) -> int:
    """The copy that the file describes; the last line says how it ended. The receiver has `shared` layers."""
    with open(path, encoding="utf-8") as file:
        words = json.load(file)
    words["known"] = [blob_name(diff) for diff in words["layers"][:shared]]
    words["reader"] = "sparkconsole-" + os.path.basename(os.getcwd())
    saves = words["way"] == "load" and words["known"]
    for way in (copy, save_instead) if saves else (copy,):
        signal.signal(signal.SIGTERM, _stop)
        try:
            way(words)
            return 0
        except CopyStopped:
            return STOPPED
        except Wrong as error:
            if error.final:  # nothing else would end otherwise
                say(end=True, error=str(error), final=True)
                return 1
            say(fell_back=str(error))
    return FALL_BACK


def main(words: list[str]) -> int:
    """`send FILE SHARED` at the sender, `serve …` in a container there, `receive …`; an exit status."""
    if words[0] == "serve":
        return serve(*words[1:])
    return receive(json.loads(words[1])) if words[0] == "receive" else send(words[1], int(words[2]))
