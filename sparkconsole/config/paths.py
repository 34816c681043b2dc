"""Where configuration and state belong: the XDG folders, on every system alike."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from platformdirs.unix import Unix

_FOLDERS = Unix("sparkconsole", appauthor=False)


def config_folder() -> Path:
    """`~/.config/sparkconsole`, or the same under XDG_CONFIG_HOME."""
    return _FOLDERS.user_config_path


def state_folder() -> Path:
    """`~/.local/state/sparkconsole`, or the same under XDG_STATE_HOME."""
    return _FOLDERS.user_state_path


def cluster_file() -> Path:
    """The inventory: clusters and their nodes."""
    return config_folder() / "cluster.toml"


def settings_file() -> Path:
    """What the person likes: theme, keys."""
    return config_folder() / "config.toml"


def write_private(path: Path, text: str) -> None:
    """Puts `text` into `path` whole or not at all, readable by its owner only (600, new folders 700).

    A symbolic link stays one: what it points at is replaced. OSError for what is there and is no plain file:
    a device, /dev/null too, would be gone for everybody.
    """
    target = Path(os.path.realpath(path))  # links in a circle are the system's to refuse
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    private_folder(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def private_folder(folder: Path) -> Path:
    """`folder`, made with mode 700 (and its missing parents) when it was not there."""
    for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return folder
