"""`docker save`'s archive without the layers that the receiver has.

Only archives that name blobs by their content (Docker 25 and newer) can be told apart; in others all stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from sparkconsole.remote.image_program.loading import BLOCK
from sparkconsole.remote.image_program.said import CHUNK, Wrong

EXTENDED = b"xgLK"
"""Kinds of entries that say more of the one behind them."""


def filtered(source: BinaryIO, write: Callable[[bytes], object], known: set[str]) -> int:
    """Copies the archive but for the blobs of `known`; how many were left out. Wrong when it ends early."""
    dropped, before = 0, b""
    while True:
        head = source.read(BLOCK)
        if not head.strip(b"\0"):
            write(head)
            _rest(source, write)
            return dropped
        size = _size(head)
        if head[156:157] in EXTENDED:
            before += head + _exactly(source, _filled(size))
            continue
        away = head[:100].rstrip(b"\0").decode("utf-8", "replace") in known
        dropped += away
        if not away:
            write(before + head)
        _body(source, None if away else write, _filled(size))
        before = b""


def _size(head: bytes) -> int:
    field = head[124:136]
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.rstrip(b"\0 ") or b"0", 8)


def _filled(size: int) -> int:
    return size + -size % BLOCK


def _exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise Wrong("docker save ended in the middle of the image")
    return data


def _body(source: BinaryIO, write: Callable[[bytes], object] | None, size: int) -> None:
    while size:
        data = _exactly(source, min(size, CHUNK))
        size -= len(data)
        if write is not None:
            write(data)


def _rest(source: BinaryIO, write: Callable[[bytes], object]) -> None:
    for chunk in iter(lambda: source.read(CHUNK), b""):
        write(chunk)
