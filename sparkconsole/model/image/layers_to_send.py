"""Which way an image takes to one receiver, decided from what both ends said; nothing is tried in silence."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sparkconsole.model.docker import ImageIdentity, common_prefix
from sparkconsole.model.transfer.ends import CopySite, Receiver

OLDEST_ENGINE = (20, 10)
"""The oldest one that these ways were tried with; the newest was 29."""


class ImageStore(StrEnum):
    """How an engine keeps images."""

    GRAPH = "overlay2"
    CONTAINERD = "containerd"
    OTHER = ""


class Transport(StrEnum):
    """What carries an image's layers."""

    LOAD = "load"
    """A part of the image goes into `docker load`: graph drivers take that and fail cleanly."""
    PULL = "pull"
    """`docker pull` from the sender's own layers: containerd's store says `Loaded image` of images that it
    could not unpack, and pulls only what it lacks."""
    WHOLE = "whole"
    """`docker save` into `docker load`."""


@dataclass(frozen=True, slots=True)
class ImageWay:
    """How the image travels to one receiver, and why so."""

    shared: int = 0
    """The first so many layers stay where they are."""
    layers: int = 0
    why: str = ""
    carrier: Transport = Transport.WHOLE

    @property
    def missing(self) -> int:
        """Layers that the receiver lacks."""
        return self.layers - self.shared


def store_of(site: CopySite) -> ImageStore:
    """Of an engine, from its own words: `docker info`'s Driver and DriverStatus."""
    if site.containerd_store:
        return ImageStore.CONTAINERD
    return ImageStore.GRAPH if site.driver == "overlay2" else ImageStore.OTHER


def shared_layers(image: ImageIdentity, present: Sequence[ImageIdentity]) -> int:
    """How many of its first layers the receiver has, in an image of the same platform.

    Only a whole prefix counts: engines know a layer by everything that lies below it.
    """
    ours = [other for other in present if other.platform == image.platform]
    return max((common_prefix(image.layers, other.layers) for other in ours), default=0)


def choose_way(
    image: ImageIdentity, present: Sequence[ImageIdentity], sender: CopySite, receiver: CopySite
) -> ImageWay:
    """The way between two engines; the whole image where either end is not known to take less."""
    count = len(image.layers)
    for end, site in (("sender", sender), ("receiver", receiver)):
        if why := _unknown(site):
            return ImageWay(layers=count, why=f"the {end}'s {why}")
    shared = shared_layers(image, present)
    carrier = Transport.PULL if store_of(receiver) is ImageStore.CONTAINERD else Transport.LOAD
    return ImageWay(shared, count, f"the receiver has {shared or 'none'} of {count} layers", carrier)


def _unknown(site: CopySite) -> str:
    """Why this end is not known to take less than all; empty when it is."""
    if store_of(site) is ImageStore.OTHER:
        return f"image store is {site.driver or 'not known'}"
    if (release := _release(site.version)) and release < OLDEST_ENGINE:
        return f"Docker is {site.version}, older than what was tried"
    return "" if site.python else "machine has no python3"


def _release(version: str) -> tuple[int, ...]:
    words = version.split(".")[:2]
    return tuple(int(word) for word in words) if all(word.isdecimal() for word in words) else ()


def missing_bytes(way: ImageWay, history: Sequence[int]) -> int:
    """Bytes of the missing layers, from the sizes that `docker history` tells, newest first.

    Steps without a layer have size 0 there and so have empty layers: the sum is never too small. A store that
    keeps layers packed sends less.
    """
    return sum([size for size in history if size][: way.missing])


def docker_load(receiver: Receiver) -> tuple[str, ...]:
    """The receiver's end as its login shell gets it, behind ssh's own words."""
    known = f"DOCKER_HOST={shlex.quote(receiver.docker_host)}"
    return ("env", known, "docker", "load") if receiver.docker_host else ("docker", "load")


def loading_needs(size_bytes: int) -> int:
    """Bytes that `docker load` needs at its peak: overlay2 unpacks the stream into a temporary folder, then
    the layers out of it; the containerd store keeps the blobs beside the unpacked snapshots."""
    return 2 * size_bytes


def saving_needs(size_bytes: int, seen: CopySite) -> int:
    """Bytes that `docker save` needs: graph drivers write the whole image to a temporary folder first."""
    return 0 if seen.containerd_store else size_bytes
