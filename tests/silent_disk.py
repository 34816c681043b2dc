"""A file system whose program says nothing: who touches it waits, as with a dead NFS server. Takes root."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_LIBC = ctypes.CDLL(None, use_errno=True)
_DETACH = 2


@contextlib.contextmanager
def silent_disk(folder: Path) -> Iterator[Path]:
    """`folder` on such a disk: the kernel's first question to its program (fuse(4)) is never answered."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("takes root and FUSE")
    folder.mkdir(parents=True, exist_ok=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    how = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    try:
        if _LIBC.mount(b"silent", bytes(folder), b"fuse", 6, how) != 0:
            pytest.skip(f"no FUSE here: {os.strerror(ctypes.get_errno())}")
        yield folder
    finally:
        os.close(device)  # who waits gets an error now
        _LIBC.umount2(bytes(folder), _DETACH)
