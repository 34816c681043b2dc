"""What Docker engines report: containers, images, and when two images are the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sparkconsole.model.text.blank import has_blank
from sparkconsole.model.text.units import moment

_SETTINGS = ("NCCL_", "GLOO_", "VLLM_HOST_IP=", "RAY_memory_monitor_refresh_ms=")
"""Variables that say how ranks find each other; others may be secrets and are left where they are."""


def settings(environment: Iterable[str]) -> dict[str, str]:
    """Of `NAME=VALUE` words, those that are no secret and matter between nodes."""
    return dict(word.split("=", 1) for word in environment if word.startswith(_SETTINGS) and "=" in word)


@dataclass(frozen=True, slots=True)
class Container:
    """One container, running or not."""

    name: str
    id: str
    image: str
    """The name it was started from."""
    image_id: str
    state: str
    """Docker's word: created, running, paused, restarting, exited, dead."""
    exit_code: int | None = None
    oom_killed: bool = False
    started_at: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """Its variables; of a launch's container those that say how nodes find each other."""
    pids: frozenset[int] = frozenset()
    """Its processes, as the node numbers them, where they were asked for."""

    @property
    def running(self) -> bool:
        """It runs right now."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class ImageIdentity:
    """An image by its content. `id` differs between image stores for the same content (the graph driver has

    the config's digest there, the containerd store the manifest's), so it never decides.
    """

    tag: str
    id: str
    platform: str
    """`linux/arm64`."""
    layers: tuple[str, ...]
    """The uncompressed digests, `RootFS.Layers`, in order; equal in every store."""
    config_digest: str
    """Over environment, entry point, command, folder, user and labels."""
    size_bytes: int = 0
    created: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of its environment, what says how nodes find each other."""
    digests: tuple[str, ...] = field(default=(), compare=False)
    """`NAME@sha256:…`: what registries that it came from or went to call it; a node may have none."""

    @property
    def content(self) -> tuple[str, tuple[str, ...], str]:
        """What is the same on every node, whatever the engine calls it; where it has no layers, its id."""
        return self.platform, self.layers or (self.id,), self.config_digest

    @property
    def foreseen(self) -> bool:
        """It is yet to be built: its content is a named blank."""
        return has_blank(self.config_digest)

    @property
    def short(self) -> str:
        """Twelve characters that name the content, the same on every node; a blank while there is none."""
        if self.foreseen:
            return self.config_digest
        text = "\n".join((self.platform, self.config_digest, *self.layers))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_data(self) -> dict[str, Any]:
        """The image as JSON gives it; of the labels only ours."""
        own = {k: v for k, v in self.labels.items() if k.startswith("org.sparkconsole.")}
        named = {n: getattr(self, n) for n in ("id", "platform", "size_bytes", "created")}
        return {"content": self.short, **named, "labels": own}


def same_content(one: ImageIdentity, other: ImageIdentity) -> bool:
    """Same platform, same layers in the same order, same configuration."""
    return one.content == other.content


def common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the first layers are the same."""
    equal = (a == b for a, b in zip(one, other, strict=False))
    return next((i for i, same in enumerate(equal) if not same), min(len(one), len(other)))


def difference(one: ImageIdentity, other: ImageIdentity) -> str:
    """In what two images differ, for people; empty when they are the same."""
    if one.platform != other.platform:
        return f"platform {one.platform} and {other.platform}"
    if not (one.layers or other.layers or one.id == other.id):
        return "neither says which layers it has"
    if one.layers != other.layers:
        shared = common_prefix(one.layers, other.layers)
        return f"{len(one.layers)} and {len(other.layers)} layers, the first {shared} of them shared"
    return "" if one.config_digest == other.config_digest else "the same layers, another configuration"


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One step of a build that the builder keeps."""

    size_bytes: int
    used_at: str
    """When a build used it last, or it was made."""
    prunable: bool = True
    """A plain `docker builder prune` takes it when it is old enough."""

    def unused_since(self, when: datetime) -> bool:
        """No build used it since then; False when that is not known."""
        used = moment(self.used_at)
        return used is not None and used < when


@dataclass(frozen=True, slots=True)
class DiskUsage:
    """What an engine's data take up."""

    images_bytes: int
    """Layers of several images count once."""
    cache_bytes: int
    cache: tuple[CacheRecord, ...] = ()
    free_bytes: int | None = None
    """Where the engine keeps its data."""

    @property
    def taken(self) -> int:
        """Images and build cache."""
        return self.images_bytes + self.cache_bytes

    def old_cache(self, now: datetime, seconds: float) -> int:
        """Bytes of build cache that a prune takes which spares what was used in the last `seconds`."""
        before = now - timedelta(seconds=seconds)
        return sum(r.size_bytes for r in self.cache if r.prunable and r.unused_since(before))

    def as_data(self) -> dict[str, Any]:
        """As JSON gives it."""
        return {n: getattr(self, n) for n in ("images_bytes", "cache_bytes", "free_bytes")}
