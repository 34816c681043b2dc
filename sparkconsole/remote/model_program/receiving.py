"""The receiving end: a line of JSON asks for a file, a link or a text; bytes come in frames."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
from typing import Any

from sparkconsole.remote.model_program.hashes import Incoming, Wrong, say

END, DROP = 0, 0xFFFFFFFF
SILENCE_S = 30
"""A sender that says nothing for so long in the middle of a file is gone: its ssh gives up after 15 s, the
sshd on this side would wait for hours."""


def receive(source: io.BufferedReader, root: str) -> None:
    """Files and links until the sender is done; a sender that is gone leaves what arrived, to go on from."""
    for line in iter(source.readline, b""):
        ask = json.loads(line)
        try:
            path = os.path.normpath(os.path.join(root, ask["path"]))
            if not path.startswith(root + "/"):
                raise Wrong("a path outside of the model's folder")
            if "link" in ask:
                make_link(path, ask["link"])
                say(ok=True)
            elif "text" in ask:
                write_text(path, ask["text"])
                say(ok=True)
            else:
                receive_file(source, path, ask)
        except (OSError, Wrong) as error:
            say(error=getattr(error, "strerror", None) or str(error))
            return


def receive_file(source: io.BufferedReader, path: str, ask: dict[str, Any]) -> None:
    """One file, unless it is there."""
    size = int(ask["size"])
    if not ask.get("again") and os.path.isfile(path) and os.stat(path).st_size == size:
        say(skip=True)
        return
    if os.path.islink(path):
        os.unlink(path)
    coming = Incoming(path, size, bool(ask.get("fresh")))
    say(offset=coming.have)
    try:
        whole = take(source, coming)
    except OSError:
        coming.drop()
        raise
    finally:
        signal.alarm(0)
    if whole:
        wanted = json.loads(source.readline())["hash"]
        say(ok=coming.finish(wanted))


def take(source: io.BufferedReader, coming: Incoming) -> bool:
    """The frames of a file; False when they ended before the file did."""
    while True:
        signal.alarm(SILENCE_S)
        head = source.read(4)
        length = struct.unpack(">I", head)[0] if len(head) == 4 else -1
        if length == DROP:
            coming.drop()
        if length in (DROP, END, -1):
            return bool(length == END)
        while length:
            signal.alarm(SILENCE_S)
            chunk = source.read1(min(length, 1 << 18))
            coming.add(chunk)
            length -= len(chunk)
            if not chunk:
                return False


def make_link(path: str, target: str) -> None:
    """The link as it should be, whatever stands there."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path) and os.readlink(path) == target:
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.symlink(target, path)


def write_text(path: str, text: str) -> None:
    """A small file, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".incomplete", "w") as file:
        file.write(text)
    os.replace(path + ".incomplete", path)
