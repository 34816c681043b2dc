"""One writer at a time: whoever reads a file that we keep, changes it and writes it again holds its lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from sparkconsole.config.paths import private_folder

PATIENCE_S = 10.0
"""A change takes milliseconds: who waits longer waits for a process that hangs."""
_LOOK_S = 0.01


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """No other console changes `path` meanwhile; OSError where that cannot be had in time.

    The lock is a file beside it, for the file itself is replaced by each writing (flock(2) holds an open
    file, not a name); the system lets go of it when its process ends, however it ends.
    """
    target = Path(os.path.realpath(path))
    private_folder(target.parent)
    lock = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(lock, target)
        yield
    finally:
        os.close(lock)


def _wait_for(lock: int, target: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                why = "another sparkconsole has been writing it for 10 s"
                raise TimeoutError(None, why, str(target)) from None
        time.sleep(_LOOK_S)
