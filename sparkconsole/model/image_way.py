"""Which way an image takes to one receiver, decided from what both ends said; nothing is tried in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparkconsole.model.docker import ImageIdentity

GRAPH_DRIVER = "overlay2"
"""The one image store whose layers are read directly, and into which a part of an image can be loaded."""


@dataclass(frozen=True, slots=True)
class ImageWay:
    """How the image travels to one receiver, and why so."""

    shared: int = 0
    """The first so many layers stay where they are."""
    layers: int = 0
    why: str = ""
    direct: bool = False
    """Layers are read from the sender's store, only those that are missing; else `docker save` sends all."""

    @property
    def missing(self) -> int:
        """Layers that the receiver lacks."""
        return self.layers - self.shared


def shared_layers(image: ImageIdentity, present: Sequence[ImageIdentity]) -> int:
    """How many of its first layers the receiver has, in an image of the same platform.

    Only a whole prefix counts: engines know a layer by everything that lies below it.
    """
    ours = [other for other in present if other.platform == image.platform]
    return max((_prefix(image.layers, other.layers) for other in ours), default=0)


def _prefix(one: Sequence[str], other: Sequence[str]) -> int:
    equal = (a == b for a, b in zip(one, other, strict=False))
    return next((i for i, same in enumerate(equal) if not same), min(len(one), len(other)))


def choose_way(
    image: ImageIdentity, present: Sequence[ImageIdentity], sender: str, receiver: str
) -> ImageWay:
    """The way between two image stores (`docker info`'s Driver of each end).

    A partial load is known to work, and to fail cleanly, between graph drivers only: the containerd store
    says `Loaded image` of images that it could not unpack.
    """
    count = len(image.layers)
    for end, driver in (("sender", sender), ("receiver", receiver)):
        if driver != GRAPH_DRIVER:
            return ImageWay(layers=count, why=f"the {end}'s image store is {driver or 'not known'}")
    shared = shared_layers(image, present)
    return ImageWay(shared, count, f"the receiver has {shared or 'none'} of {count} layers", direct=True)


def missing_bytes(way: ImageWay, history: Sequence[int]) -> int:
    """Bytes of the missing layers, from the sizes that `docker history` tells, newest first.

    Steps without a layer have size 0 there and so have empty layers: the sum is never too small.
    """
    return sum([size for size in history if size][: way.missing])
