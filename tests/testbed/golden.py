"""Image stores kept under a name: new nodes have the images within a second and on no disk of their own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.testbed.places import GOLDEN_STORES, Places


def store(name: str) -> Path:
    """Where the store of that name is; an absolute path is its own name."""
    return GOLDEN_STORES / name


def keep(places: Places, index: int, name: str) -> Path:
    """Keeps a stopped node's image store; the node can go on with its own."""
    target, fresh = store(name), store(f"{name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _clone(places.disk / places.node(index) / "docker", fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target


def give(places: Places, index: int, name: str) -> None:
    """A node that has no store yet starts with this one; without a name or such a store with an empty one."""
    own = places.disk / places.node(index) / "docker"
    if own.exists():
        return
    if name and store(name).is_dir():
        _clone(store(name), own)
    else:
        own.mkdir(parents=True)


def _clone(source: Path, target: Path) -> None:
    """Layers as hard links, for they are never written; databases as real copies."""
    target.mkdir(parents=True)
    for part in source.iterdir():
        how = "-al" if part.name == "overlay2" else "-a"
        subprocess.run(("cp", how, str(part), str(target)), check=True, timeout=600)
