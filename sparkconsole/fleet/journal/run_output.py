"""What a run printed, as the journal keeps it: its beginning and its end, however much came between.

Beside the file of the beginning lie two of the end: one that is written, and the full one before it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.config.paths import private_folder

HEAD_BYTES = 32 * 1024 * 1024
"""A build prints about one megabyte."""
TAIL_BYTES = 16 * 1024 * 1024
"""Of each of the two files of the end."""
LARGEST_LINE_BYTES = 16 * 1024 * 1024
CUT = "… what came here was not kept\n".encode()


def output_files(path: Path) -> tuple[Path, Path, Path]:
    """The beginning, and the two of the end, older first."""
    return path, path.with_suffix(".log-older"), path.with_suffix(".log-newer")


def append_output(path: Path, text: bytes) -> None:
    """Adds whole lines; OSError when the disk takes none."""
    private_folder(path.parent)
    head, older, newer = output_files(path)
    if _append(head, text, HEAD_BYTES) or _append(newer, text, TAIL_BYTES):
        return
    if older.exists() and _end_of(head, len(CUT)) != CUT:
        _append(head, CUT)
    newer.replace(older)
    _append(newer, text)


def read_output(path: Path) -> bytes:
    """All that is kept; OSError when there is nothing."""
    head, *end = output_files(path)
    parts = [bounded_bytes(head, HEAD_BYTES + LARGEST_LINE_BYTES, regular=True)]
    for file in end:
        with contextlib.suppress(FileNotFoundError):
            parts.append(bounded_bytes(file, TAIL_BYTES + LARGEST_LINE_BYTES, regular=True))
    return b"".join(parts)


def output_end(path: Path, most: int) -> tuple[int, bytes]:
    """How many bytes are kept, and the last `most` of them; OSError when there is nothing."""
    sizes = {path: path.stat().st_size, **dict(_sizes(output_files(path)[1:]))}
    end = b""
    for file in reversed(sizes):
        end = _end_of(file, most - len(end)) + end
    return sum(sizes.values()), end


def _sizes(files: tuple[Path, ...]) -> Iterator[tuple[Path, int]]:
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            yield file, file.stat().st_size


def _append(path: Path, text: bytes, most: int | None = None) -> bool:
    """Whether it was added: not where the file has `most` bytes already."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o600)
    with os.fdopen(handle, "ab") as file:
        fits = most is None or file.tell() < most
        if fits:
            file.write(text)
        return fits


def _end_of(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most))
        return file.read(most)
