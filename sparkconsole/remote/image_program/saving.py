"""The way without a reader: `docker save`, filtered here, into `docker load` at the receiver.

The engine still reads the whole image, so only the wire and the receiver get less. Only archives that name
blobs by their content (Docker 25 and newer) can be told apart; of others all is sent.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import BinaryIO, cast

from sparkconsole.remote.image_program.engine import FULL
from sparkconsole.remote.image_program.protocol import CHUNK, EVERY_S, Wrong, last_line, say

LOST = 255
BLOCK = 512
TORN = "docker save ended in the middle of the image"
EXTENDED = b"xgLK"
"""Kinds of entries that say more of the one behind them."""


class Flow:
    """What goes to the receiver, counted."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe, self.sent, self.began, self.last = pipe, 0, time.monotonic(), 0.0

    def write(self, data: bytes) -> None:
        """Sends, and says so now and then."""
        try:
            self.pipe.write(data)
        except OSError:
            raise Wrong("the receiver stopped taking it") from None
        self.sent += len(data)
        if time.monotonic() - self.last > EVERY_S:
            self.last = time.monotonic()
            say(sent=self.sent, seconds=round(self.last - self.began, 2))


def save(names: list[str], ssh: list[str], known: set[str], before: str = "") -> int:
    """Bytes that were sent; Wrong when either end failed. `known`: names of blobs that stay here."""
    with tempfile.TemporaryFile() as save_errors, tempfile.TemporaryFile() as load_output:
        source = subprocess.Popen(
            ["docker", "save", *names], stdout=subprocess.PIPE, stderr=save_errors, start_new_session=True
        )
        load = [*ssh, before + "docker load"]
        sink = subprocess.Popen(
            load, stdin=subprocess.PIPE, stdout=load_output, stderr=load_output, start_new_session=True
        )
        flow = Flow(cast(BinaryIO, sink.stdin))
        try:
            filtered(cast(BinaryIO, source.stdout), flow.write, known)
            if source.wait():
                raise Wrong("docker save failed")  # what is not whole is never followed by a clean end
            flow.pipe.close()
            sink.wait()
        except Wrong as error:
            sink.kill()
            raise _cause(str(error), last_line(save_errors), sink.wait(), last_line(load_output)) from None
        finally:
            for end in (source, sink):
                end.kill()
                end.wait()
        if sink.returncode or "Error unpacking" in last_line(load_output):
            raise _cause("docker load failed", "", sink.returncode, last_line(load_output))
        return flow.sent


def _cause(what: str, save_error: str, ended: int, load_error: str) -> Wrong:
    why = save_error or load_error
    return Wrong(f"{what}: {why}" if why else what, final=ended == LOST or FULL in load_error)


def filtered(source: BinaryIO, write: Callable[[bytes], object], known: set[str]) -> int:
    """Copies the archive byte for byte but for the blobs of `known`; how many were left out.

    Wrong when it ends early: what is not whole gets no end here (tarfile would write one).
    """
    dropped, before = 0, b""
    while True:
        head = source.read(BLOCK)
        if not head.strip(b"\0"):
            write(head)
            for chunk in iter(lambda: source.read(CHUNK), b""):
                write(chunk)
            return dropped
        size = _size(head)
        if head[156:157] in EXTENDED:
            before += head + _exactly(source, size)
            continue
        away = head[:100].rstrip(b"\0").decode("utf-8", "replace") in known
        dropped += away
        if not away:
            write(before + head)
        _body(source, None if away else write, size)
        before = b""


def _size(head: bytes) -> int:
    """Of the entry behind a header, in whole blocks."""
    field = head[124:136]
    try:
        size = int.from_bytes(field[1:], "big") if field[0] & 0x80 else int(field.rstrip(b"\0 ") or b"0", 8)
    except (IndexError, ValueError):
        raise Wrong(TORN) from None
    return size + -size % BLOCK


def _exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise Wrong(TORN)
    return data


def _body(source: BinaryIO, write: Callable[[bytes], object] | None, size: int) -> None:
    while size:
        data = _exactly(source, min(size, CHUNK))
        size -= len(data)
        if write is not None:
            write(data)
