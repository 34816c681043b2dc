"""Where a layer's bytes go: small pieces together, files without a copy of them in between."""

from __future__ import annotations

import os

GATHERED = 1 << 18
LARGE = 1 << 16
"""A file from here on is worth a system call of its own."""


class Sink:
    """A socket or pipe; the first `skip` bytes of all that is written are left out."""

    def __init__(self, number: int, skip: int = 0) -> None:
        self.number, self.skip = number, skip
        self._kept: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """These bytes, sooner or later."""
        if self.skip:
            left_out = min(self.skip, len(data))
            self.skip -= left_out
            data = data[left_out:]
        self._kept.append(data)
        self._size += len(data)
        if self._size >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """All that was written is on its way."""
        view = memoryview(b"".join(self._kept))
        self._kept, self._size = [], 0
        while view:
            view = view[os.write(self.number, view) :]

    def file(self, path: str, size: int) -> None:
        """Exactly so many bytes of the file; EOFError when it has fewer."""
        at = min(self.skip, size)
        self.skip -= at
        if at == size:
            return
        with open(path, "rb", buffering=0) as file:
            if size - at < LARGE:
                self.write(_all(os.pread(file.fileno(), size - at, at), size - at, path))
                return
            self.flush()
            while at < size:
                sent = os.sendfile(self.number, file.fileno(), at, min(size - at, 1 << 24))
                at += sent
                _all(b" " * min(sent, 1), 1, path)


def _all(data: bytes, size: int, path: str) -> bytes:
    if len(data) < size:
        raise EOFError("%s is shorter than the image says" % path)  # noqa: UP031 - as in all of the program
    return data
