"""Files are read to a limit and never waited for: a device, a pipe or a folder in their place is said."""

from __future__ import annotations

import errno
import os
import select
import stat
from pathlib import Path

WRITTEN_BYTES = 4 * 1024 * 1024
"""What a person wrote by hand is smaller than that by far."""


PIPE_S = 10
"""So long the other end of a pipe may take before its first byte."""


def bounded_bytes(path: Path, most: int = WRITTEN_BYTES, *, regular: bool = False) -> bytes:
    """The file's bytes; OSError with its name when there are more than `most`, as for anything else.

    `regular`: a pipe or a device is refused at once; without, a pipe (`<(…)`) is read to its end, once
    somebody has begun to write into it.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        kind = os.fstat(handle).st_mode
        if regular and not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if stat.S_ISFIFO(kind) and not select.select([handle], [], [], PIPE_S)[0]:
            raise OSError(errno.ETIMEDOUT, f"a pipe, and nobody wrote into it in {PIPE_S} s", str(path))
        os.set_blocking(handle, True)
        try:
            data = file.read(most + 1)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most // 1024} KiB", str(path))
    return data


def expanded(path: str | Path) -> Path:
    """`~` and `~user` as a path; a user that nobody knows stays as it was written."""
    return Path(os.path.expanduser(path))


def from_home(path: Path) -> str:
    """`~/.config/…`, where it is so."""
    home = expanded("~")
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def is_file(path: str | Path) -> bool:
    """There is such a file; whatever hinders the look, there is none for us."""
    return os.path.isfile(path)
