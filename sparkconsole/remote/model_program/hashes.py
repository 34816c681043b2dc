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
from typing import Any

CHUNK = 1 << 20
LOCK_S = 45
STOP = threading.Event()
BAR = threading.Lock()


def say(**words: Any) -> None:
    """A line of JSON."""
    with BAR:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()


class Wrong(Exception):
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
    """`NAME.incomplete`, hashed as it grows."""

    def __init__(self, path: str, size: int, fresh: bool) -> None:
        self.path, self.size, self.part = path, size, path + ".incomplete"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.file = self.alone()
        self.have = self.file.seek(0, os.SEEK_END)
        if fresh or self.have > size:
            self.restart()
        self.hash = hasher(path, size)
        self.file.seek(0)
        for chunk in iter(lambda: self.file.read(CHUNK), b""):
            self.hash.update(chunk)

    def alone(self) -> Any:
        """The file, for one writer at a time; a receiver whose sender is gone ends within that time."""
        for _ in range(LOCK_S * 5):
            file = open(self.part, "ab+")  # noqa: SIM115 - kept open while it grows
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever had it may have given it its name, or dropped it, while this one waited.
                if os.fstat(file.fileno()).st_ino == os.stat(self.part).st_ino:
                    return file
            except OSError:
                time.sleep(0.2)
            file.close()
        raise Wrong("another copy of this file is under way")

    def restart(self) -> None:
        """From nothing."""
        self.file.truncate(0)
        self.have, self.hash = 0, hasher(self.path, self.size)

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self.file.write(chunk)
        self.hash.update(chunk)
        self.have += len(chunk)

    def finish(self, wanted: str) -> bool:
        """Gives it its name when it is whole and right; False when it is not (it is gone then)."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if self.have != self.size or (wanted and self.hash.hexdigest() != wanted):
            os.unlink(self.part)
            return False
        os.replace(self.part, self.path)
        return True

    def drop(self) -> None:
        """Nothing of it stays."""
        self.file.close()
        with contextlib.suppress(OSError):
            os.unlink(self.part)


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
