"""What every part of the program uses: lines of JSON, hashes, and a file under way.

A file under way is `NAME.incomplete`, as huggingface_hub calls it, and gets its name once its hash is right:
in the hub's cache a blob's name is its SHA-256, or git's SHA-1 for small files.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

CHUNK, KICK = 1 << 20, 32 << 20
GIT = 40
LOCK_S = 45
"""A file under way that did not grow for so long is nobody's any more: silent receivers end after 30."""
STOP = threading.Event()
BAR = threading.Lock()


def say(**words: Any) -> None:
    """A line of JSON."""
    with BAR:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


class ModelWrong(Exception):
    """Something that a person is told."""


# --- hashes


def hasher(path: str, size: int) -> Any:
    """What tells whether a blob is right, by its name; for other files SHA-256."""
    if re.fullmatch("[0-9a-f]{40}", os.path.basename(path)):
        found = hashlib.sha1()  # noqa: S324 - git's, not ours to choose
        found.update(b"blob %d\0" % size)
        return found
    return hashlib.sha256()


def named_hash(path: str) -> str:
    """The hash that a blob's name says; empty for a file of another name."""
    name = os.path.basename(path)
    return name if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name) else ""


def hash_of(path: str) -> str:
    """Of the whole file."""
    found = hasher(path, os.stat(path).st_size)
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(CHUNK), b""):
            found.update(chunk)
    return str(found.hexdigest())


class Incoming:
    """`NAME.incomplete`, hashed as it grows; locked until it has its name or is gone."""

    def __init__(self, path: str, size: int, fresh: bool, gone: Callable[[], bool] = STOP.is_set) -> None:
        self.path, self.size, self.part = path, size, path + ".incomplete"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.file = self.alone(gone)
        self.have = self.kicked = self.file.seek(0, os.SEEK_END)
        if fresh or self.have > size:
            self.restart()
        self.hash = hasher(path, size)
        self.file.seek(0)
        for chunk in iter(lambda: self.file.read(CHUNK), b""):
            self.hash.update(chunk)

    def alone(self, gone: Callable[[], bool]) -> Any:
        """The file, for one writer at a time: waits while another's grows and somebody waits for ours."""
        size, since = -1, time.monotonic()
        while not gone() and time.monotonic() - since < LOCK_S:
            file = self.opened()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it may have given it its name, or dropped it, while this one waited.
                if os.fstat(file.fileno()).st_ino == os.stat(self.part).st_ino:
                    return file
            except BlockingIOError:
                if os.fstat(file.fileno()).st_size != size:
                    size, since = os.fstat(file.fileno()).st_size, time.monotonic()
                time.sleep(0.2)
            except FileNotFoundError:
                pass
            file.close()
        raise ModelWrong("another copy of this file is under way and stands still")

    def opened(self) -> Any:
        """The file, open; Wrong names it when it is somebody else's."""
        try:
            return open(self.part, "ab+", 0)
        except PermissionError:
            raise ModelWrong("%s is somebody else's" % self.part) from None  # noqa: UP031

    def restart(self) -> None:
        """From nothing."""
        self.file.truncate(0)
        self.have = self.kicked = 0
        self.hash = hasher(self.path, self.size)

    def add(self, chunk: bytes | memoryview) -> None:
        """The next bytes."""
        self.hash.update(chunk)
        self.have += len(chunk)
        while chunk:
            chunk = chunk[self.file.write(chunk) :]
        new = self.have - self.kicked
        if new >= KICK:  # the disk begins with that, so that there is little to wait for at the end
            os.posix_fadvise(self.file.fileno(), self.kicked, new, os.POSIX_FADV_DONTNEED)
            self.kicked = self.have

    def finish(self, wanted: str) -> bool:
        """Gives it its name when it is whole and right; False when it is not (it is gone then)."""
        try:
            if self.have != self.size or (wanted and self.hash.hexdigest() != wanted):
                os.unlink(self.part)
                return False
            os.fsync(self.file.fileno())
            os.replace(self.part, self.path)
            return True
        finally:
            self.file.close()

    def drop(self) -> None:
        """Nothing of it stays."""
        with contextlib.suppress(OSError):
            os.unlink(self.part)
        with contextlib.suppress(OSError):
            self.file.close()


class Counted:
    """Bytes that went, of those that are to go."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.began = total, 0, time.monotonic()

    def add(self, count: int) -> None:
        """More of them."""
        with BAR:
            self.done += count

    def tell(self) -> None:
        """How far it is."""
        say(done=self.done, total=self.total, seconds=round(time.monotonic() - self.began, 2))
