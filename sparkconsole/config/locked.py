"""One writer at a time: whoever reads a file that we keep, changes it and writes it again holds its lock."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sparkconsole.config.paths import private_folder

PATIENCE_S = 10.0
"""A change takes milliseconds: who waits longer waits for a process that hangs."""
_LOOK_S = 0.01
_NO_LOCKS_HERE = (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP)
"""NFS locks no folder: there two consoles may still overtake each other."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """No other console changes `path` meanwhile; OSError where that cannot be had in time.

    Its folder is what is locked: the file itself is replaced by each writing, and flock(2) holds an open
    file, not a name. The system lets go of it when the process ends, however it ends.
    """
    target = Path(os.path.realpath(path))
    folder = os.open(private_folder(target.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _wait_for(folder, target)
        yield
    finally:
        os.close(folder)


def _wait_for(folder: int, target: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                why = f"another sparkconsole has been writing for {PATIENCE_S:g} s"
                raise TimeoutError(errno.ETIMEDOUT, why, str(target)) from None
        except OSError as error:
            if error.errno in _NO_LOCKS_HERE:
                return None
            raise
        time.sleep(_LOOK_S)
