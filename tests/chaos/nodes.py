"""Two nodes for trials, with a prefix of their own: a testbed of another suite may stand beside them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.scene import NODES, Person, Scene
from tests.real.package_index import CACHE
from tests.testbed import engines
from tests.testbed.fixtures import nodes_for_a_session, session_prefix
from tests.testbed.places import Places

DISK_BYTES = 24 << 30
"""Of an engine's data disk: a sparse file, which a trial can fill without filling this machine's."""


@contextmanager
def scene_on(prefix: str, home: Path, *, containerd: bool = False) -> Iterator[Scene]:
    """The nodes are up and known to a person whose home is that folder; what was brought up goes again.

    Their engines' disks stay, and with them the image that takes minutes to build. With `containerd` node 2
    has Docker 28, which keeps images as containerd does.
    """
    places = Places(session_prefix(prefix))
    with ExitStack() as undo:
        undo.callback(lambda: shutil.rmtree(places.disk, ignore_errors=True))
        for index in NODES:
            undo.enter_context(_data_disk(places, index, "-containerd" if containerd and index == 2 else ""))
        if containerd:
            (places.disk / places.node(2) / "engine").write_text(f"{engines.engine('forky')}\ntrue\n")
        bed = undo.enter_context(contextmanager(nodes_for_a_session)(places, len(NODES)))
        shutil.rmtree(home, ignore_errors=True)
        scene = Scene(bed, Person(bed, home))
        scene.introduce()
        yield scene


@contextmanager
def _data_disk(places: Places, index: int, store: str) -> Iterator[None]:
    """The engine of a node keeps its images on a file system of its own."""
    file, at = CACHE / f"{places.node(index)}{store}.ext4", places.disk / places.node(index) / "docker"
    at.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as made:
            made.truncate(DISK_BYTES)
        _run("mkfs.ext4", "-q", "-m", "0", "-F", str(file))
    if at.is_mount():
        _run("umount", "-l", str(at))
    _run("mount", "-o", "loop,noatime", str(file), str(at))
    try:
        yield
    finally:
        _run("umount", "-l", str(at))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=120)
