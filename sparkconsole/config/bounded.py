"""Files are read to a limit and never waited for: a device, a pipe or a folder in their place is said."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

WRITTEN_BYTES = 4 * 1024 * 1024
"""What a person wrote by hand is smaller than that by far."""


def bounded_bytes(path: Path, most: int = WRITTEN_BYTES, *, regular: bool = False) -> bytes:
    """The file's bytes; OSError with its name when there are more than `most`, as for anything else.

    `regular`: a pipe or a device is refused at once; without, a pipe (`<(…)`) is read to its end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | (os.O_NONBLOCK if regular else 0))
    with os.fdopen(handle, "rb") as file:
        if regular and not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
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


def is_file(path: str | Path) -> bool:
    """There is such a file; whatever hinders the look, there is none for us."""
    return os.path.isfile(path)
