"""Who may give a node's page cache back to the kernel, by which command, and what that brought."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sparkconsole.errors import Refused
from sparkconsole.model.text.units import size

SCRIPT = "sync; echo 3 >/proc/sys/vm/drop_caches"
"""Dirty pages are written first: only clean ones can be given back."""
_WRITE = ("sh", "-c", SCRIPT, "drop-caches")


class RootWay(StrEnum):
    """How a login becomes root for it, the best first."""

    ROOT = "root"
    SUDO = "sudo"
    CONTAINER = "container"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class MemoryState:
    """One look at a node's memory, in bytes."""

    total: int
    free: int
    """In use for nothing at all: what CUDA finds at once."""
    available: int
    """With the cache that the kernel would give back."""
    cached: int
    """Page cache and buffers."""
    way: RootWay = RootWay.NONE
    """How this login may drop the cache."""


def drop_argv(way: RootWay, image: str) -> tuple[str, ...]:
    """The command; a privileged container of `image` writes to the node's own kernel."""
    if way in (RootWay.ROOT, RootWay.SUDO):
        return _WRITE if way is RootWay.ROOT else ("sudo", "-n", *_WRITE)
    alone = ("--rm", "--privileged", "--network", "none", "--entrypoint", _WRITE[0])
    return ("docker", "run", *alone, image, *_WRITE[1:])


def way_sentence(way: RootWay, image: str) -> str:
    """How the plan says it."""
    return {
        RootWay.ROOT: "drop the page cache, as root",
        RootWay.SUDO: "drop the page cache, by sudo -n",
        RootWay.CONTAINER: f"drop the page cache, in a privileged one-shot container of {image}",
    }[way]


def require_way(node: str, way: RootWay, image: str) -> None:
    """Refused where this login cannot become root in any way that asks no password."""
    if way is RootWay.NONE:
        cause = f"only root may drop the page cache: sudo asks for a password, and Docker has no {image}"
        hint = "allow sudo without a password there, or name an image that the node has: --image NAME"
        raise Refused(cause, hint=hint, node=node)


def brought(before: MemoryState, after: MemoryState) -> str:
    """What a person wants to know of it."""
    return f"{size(after.free - before.free)} more are free" if after.free > before.free else "nothing more"
