"""The receiving end: a line of JSON asks for a file, a link or a text; bytes come in frames."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any

from sparkconsole.remote.model_program.hashes import Incoming, ModelWrong, say

END, DROP = 0, 0xFFFFFFFF
IDLE_S = 900
"""Between files a sender may read one of its own again to see whose fault it is that it arrived wrong."""
PIECE = 1 << 18
SILENCE_S = 30
"""A sender that sends no piece for so long in the middle of a file is gone: its ssh gives up after 15 s, the
sshd on this side would wait for hours."""


def receive(source: io.BufferedReader, root: str) -> None:
    """Files and links until the sender is done; a sender that is gone leaves what arrived, to go on from."""
    for line in iter(lambda: patiently(source.readline, IDLE_S), b""):
        ask = json.loads(line)
        try:
            path = os.path.normpath(os.path.join(root, ask["path"]))
            if not path.startswith(root + "/"):
                raise ModelWrong("a path outside of the model's folder")
            if "link" in ask:
                make_link(path, ask["link"])
                say(ok=True)
            elif "text" in ask:
                write_text(path, ask["text"])
                say(ok=True)
            else:
                receive_file(source, path, ask)
        except (OSError, ModelWrong) as error:
            say(error=getattr(error, "strerror", None) or str(error))
            return


def patiently(read: Callable[[], bytes], seconds: int) -> bytes:
    """What comes; the end of this program when nothing does, for then nobody is there."""
    signal.alarm(seconds)
    try:
        return read()
    finally:
        signal.alarm(0)


def receive_file(source: io.BufferedReader, path: str, ask: dict[str, Any]) -> None:
    """One file, unless it is there."""
    size, again = int(ask["size"]), bool(ask.get("again"))
    if not again and is_there(path, size):
        say(skip=True)
        return
    if os.path.islink(path):
        os.unlink(path)
    coming = Incoming(path, size, bool(ask.get("fresh")), gone)
    if not again and is_there(path, size):  # another copy brought it while this one waited
        coming.drop()
        say(skip=True)
        return
    say(offset=coming.have)
    try:
        if take(source, coming):
            say(ok=coming.finish(json.loads(patiently(source.readline, SILENCE_S))["hash"]))
    except OSError:
        coming.drop()
        raise


def is_there(path: str, size: int) -> bool:
    """Files get their names when they are whole and right."""
    return os.path.isfile(path) and os.stat(path).st_size == size


def gone() -> bool:
    """The sender hung up: it says nothing until it is answered."""
    return bool(select.select([sys.stdin], [], [], 0)[0])


def take(source: io.BufferedReader, coming: Incoming) -> bool:
    """The frames of a file; False when they ended before the file did."""
    room = memoryview(bytearray(PIECE))
    while True:
        head = patiently(lambda: source.read(4), SILENCE_S)
        length = struct.unpack(">I", head)[0] if len(head) == 4 else -1
        if length == DROP:
            coming.drop()
        if length in (DROP, END, -1):
            return bool(length == END)
        while length:
            signal.alarm(SILENCE_S)
            # Filled by the interpreter itself: sshd hands over a few kilobytes at a time.
            count = source.readinto(room[: min(length, PIECE)])
            signal.alarm(0)
            coming.add(room[:count])
            length -= count
            if not count:
                return False


def make_link(path: str, target: str) -> None:
    """The link as it should be, whatever stands there; at no moment is there none."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.islink(path) and os.readlink(path) == target:
        return
    part = path + ".incomplete"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    os.symlink(target, part)
    named(part, path)


def write_text(path: str, text: str) -> None:
    """A small file, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path + ".incomplete", "w") as file:
            file.write(text)
    except OSError:
        os.unlink(path + ".incomplete")
        raise
    named(path + ".incomplete", path)


def named(part: str, path: str) -> None:
    """Gives it its name; what cannot have it does not stay."""
    try:
        os.replace(part, path)
    except OSError:
        os.unlink(part)
        raise
