"""A folder of this machine as one tar: the same files give the same bytes, whoever owns them."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from sparkconsole.errors import WrongUsage

LARGEST_BYTES = 256 * 1000 * 1000
"""A recipe is a Dockerfile and some files beside it; more is a mistake (a home folder, a checkout)."""

_IGNORED = {".git", "__pycache__"}
"""What nobody needs at the other end."""


def tar_of(folder: Path) -> bytes:
    """The folder's files as a gzipped tar, without `.git`; WrongUsage when it is no folder or too large."""
    if not folder.is_dir():
        raise WrongUsage(f"{folder} is no folder")
    size = sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file())
    if size > LARGEST_BYTES:
        raise WrongUsage(
            f"{folder} holds {size / 1e6:.0f} MB; a build's folder may hold {LARGEST_BYTES / 1e6:.0f} MB",
            hint="give a folder with the Dockerfile and only what it copies",
        )
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for path in _meant(folder):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)
    return gzip.compress(plain.getvalue(), mtime=0)


def files_of(folder: Path) -> tuple[Path, ...]:
    """The regular files that go with it."""
    return tuple(path for path in _meant(folder) if path.is_file() and not path.is_symlink())


def _meant(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if not _IGNORED.intersection(p.relative_to(folder).parts))


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
