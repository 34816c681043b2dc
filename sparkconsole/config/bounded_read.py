"""Files are read to a limit and never waited for: a device, a pipe or a folder in their place is said."""

from __future__ import annotations

import errno
import os
import select
import stat
from functools import partial
from pathlib import Path

from sparkconsole.config.patience import patiently

WRITTEN_BYTES = 4 * 1024 * 1024
"""A script that a person or a program wrote is smaller than that by far."""
CONFIG_BYTES = 256 * 1024
"""So is a configuration: 64 nodes with all their keys are 30 KiB, and its lines are parsed several times."""


PIPE_S = 10
"""So long the other end of a pipe may take before its first byte."""


def bounded_bytes(path: Path, most: int = WRITTEN_BYTES, *, regular: bool = False) -> bytes:
    """The file's bytes; OSError with its name when there are more than `most`, as for anything else.

    `regular`: a pipe or a device is refused at once; without, a pipe (`<(…)`) is read to its end, once
    somebody has begun to write into it.
    """
    handle, kind = patiently(path.parent, partial(_opened, path))
    with os.fdopen(handle, "rb") as file:
        if regular and not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if stat.S_ISFIFO(kind) and not select.select([handle], [], [], PIPE_S)[0]:
            raise OSError(errno.ETIMEDOUT, f"a pipe, and nobody wrote into it in {PIPE_S} s", str(path))
        os.set_blocking(handle, True)
        read = partial(file.read, most + 1)
        try:
            data = patiently(path.parent, read) if stat.S_ISREG(kind) else read()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most // 1024} KiB", str(path))
    return data


def _opened(path: Path) -> tuple[int, int]:
    """The open file, and what kind of file it is."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    return handle, os.fstat(handle).st_mode


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
