"""One writer at a time: whoever reads a file that we keep, changes it and writes it again holds its lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sparkconsole.config.paths import private_folder
from sparkconsole.config.patience import patiently

PATIENCE_S = 10.0
"""A change takes milliseconds: who waits longer waits for a process that hangs."""
LOOK_S = 0.01
_NO_LOCKS_HERE = (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP)
"""NFS locks no folder: there two consoles may still overtake each other."""


@contextlib.contextmanager
def locked(path: Path, *, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """No other console changes `path` meanwhile; OSError where that cannot be had in time.

    Its folder is what is locked: the file itself is replaced by each writing, and flock(2) holds an open
    file, not a name. The system lets go of it when the process ends, however it ends.
    """
    folder = patiently(path.parent, partial(_folder_of, path))
    try:
        deadline = time.monotonic() + patience_s
        while not patiently(path.parent, partial(taken, folder)):
            if time.monotonic() > deadline:
                why = f"another sparkconsole has been writing for {patience_s:g} s"
                raise TimeoutError(errno.ETIMEDOUT, why, str(path))
            time.sleep(LOOK_S)  # flock(2) knows no limit of time
        yield
    finally:
        os.close(folder)


def _folder_of(path: Path) -> int:
    target = Path(os.path.realpath(path))
    return os.open(private_folder(target.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def taken(file: int) -> bool:
    """Whether the lock of an open file or folder is ours now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS_HERE:
            raise
    return True
