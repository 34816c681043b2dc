"""Two nodes for trials, with a prefix of their own: a testbed of another suite may stand beside them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.scene import NODES, Person, Scene
from tests.testbed.fixtures import nodes_for_a_session, session_prefix
from tests.testbed.places import Places


@contextmanager
def scene_on(prefix: str, home: Path) -> Iterator[Scene]:
    """The nodes are up and known to a person whose home is that folder; what was brought up goes again."""
    with contextmanager(nodes_for_a_session)(Places(session_prefix(prefix)), len(NODES)) as bed:
        shutil.rmtree(home, ignore_errors=True)
        scene = Scene(bed, Person(bed, home))
        scene.introduce()
        yield scene
