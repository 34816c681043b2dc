"""Where configuration and state belong: the XDG folders, on every system alike; and the shipped scripts."""

from __future__ import annotations

import errno
import os
import tempfile
from functools import partial
from pathlib import Path

from platformdirs.unix import Unix

import sparkconsole
from sparkconsole.config.patience import patiently

_FOLDERS = Unix("sparkconsole", appauthor=False)
SCRIPT_SUFFIX = ".spark"


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
    patiently(path.parent, partial(_write_private, path, text))


def _write_private(path: Path, text: str) -> None:
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


def examples() -> dict[str, Path]:
    """Each shipped script by its bare name (`first-run`), in a checkout and in an installed wheel alike."""
    package = Path(sparkconsole.__file__).parent
    places = (package / "examples", package.parent / "examples")
    folder = next((p for p in places if p.is_dir()), places[0])
    return {path.stem: path for path in sorted(folder.glob(f"*{SCRIPT_SUFFIX}"))}


def script_path(text: str) -> Path:
    """The file of that name; where there is none, the example that goes by it: `first-run`,
    `first-run.spark` and `examples/first-run.spark` are the same one everywhere."""
    path = Path(text)
    if path.exists() or path.is_absolute():
        return path
    name = Path(*path.parts[1:]) if path.parts[:1] == ("examples",) else path
    if len(name.parts) != 1 or name.suffix not in ("", SCRIPT_SUFFIX):
        return path
    return examples().get(name.stem, path)
