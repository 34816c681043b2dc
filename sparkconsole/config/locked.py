"""One writer at a time: whoever reads a file that we keep, changes it and writes it again holds its lock.

And who lives: a folder of one process is locked for as long as that runs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sparkconsole.config.paths import private_folder
from sparkconsole.config.patience import patiently

PATIENCE_S = 10.0
"""A change takes milliseconds: who waits longer waits for a process that hangs."""
LOOK_S = 0.01
_OWN, _FRESH_S = "sparkconsole-own-", 60.0
"""What a folder of one process is called, and how long it may take until its lock is held."""
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


class OwnFolder(tempfile.TemporaryDirectory[str]):
    """A folder that lasts no longer than this process, which holds its lock meanwhile; OSError without room.

    Those that killed consoles left, older than a minute and held by nobody, are removed.
    """

    def __init__(self) -> None:
        for old in Path(tempfile.gettempdir()).glob(f"{_OWN}*"):
            with contextlib.suppress(OSError):
                if time.time() - old.lstat().st_mtime > _FRESH_S and not old.is_symlink():
                    os.close(_held(old))
                    shutil.rmtree(old, ignore_errors=True)
        super().__init__(prefix=_OWN)
        self._lock = _held(Path(self.name))

    def cleanup(self) -> None:
        """Removes it."""
        super().cleanup()
        with contextlib.suppress(OSError):
            os.close(self._lock)
        self._lock = -1


def _held(folder: Path) -> int:
    """OSError where a process that lives has it. The folder's own lock is for who changes a file in it."""
    lock = os.open(folder / "alive", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
