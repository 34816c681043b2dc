"""The Docker engine's JSON becomes containers, images and engine facts: 20.10 to 29, both stores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sparkconsole.model.docker import (
    CacheRecord,
    Container,
    DiskUsage,
    EngineFacts,
    ImageIdentity,
    settings,
)

_CONFIG_KEYS = ("Env", "Entrypoint", "Cmd", "WorkingDir", "User", "Labels")
_NO_NAMES = ("<none>", "moby-dangling")
"""What engines write where an image has no name: the graph drivers, the containerd store."""
_INNER = ("internal", "frontend")
"""Build cache that a plain `docker builder prune` leaves."""


def container_from(data: Mapping[str, Any]) -> Container:
    """From `GET /containers/{id}/json`."""
    state, config = data.get("State") or {}, data.get("Config") or {}
    running = state.get("Status") == "running"
    return Container(
        name=str(data.get("Name", "")).removeprefix("/"),
        id=str(data.get("Id", "")),
        image=str(config.get("Image", "")),
        image_id=str(data.get("Image", "")),
        state=str(state.get("Status", "")),
        exit_code=None if running else state.get("ExitCode"),
        oom_killed=bool(state.get("OOMKilled")),
        started_at=str(state.get("StartedAt", "")),
        pid=int(state.get("Pid") or 0),
        labels=dict(config.get("Labels") or {}),
        environment=dict(e.split("=", 1) for e in config.get("Env") or () if "=" in e),
    )


def image_from(data: Mapping[str, Any], tag: str = "") -> ImageIdentity:
    """From `GET /images/{name}/json`. Empty and absent configuration values are the same thing."""
    config = data.get("Config") or {}
    kept = {key: config[key] for key in _CONFIG_KEYS if config.get(key)}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    return ImageIdentity(
        tag=tag or next(iter(data.get("RepoTags") or ()), ""),
        id=str(data.get("Id", "")),
        platform="/".join(p for p in (data.get("Os"), data.get("Architecture"), data.get("Variant")) if p),
        layers=tuple((data.get("RootFS") or {}).get("Layers") or ()),
        config_digest=digest,
        size_bytes=int(data.get("Size") or 0),
        created=str(data.get("Created") or ""),
        labels=dict(config.get("Labels") or {}),
        settings=settings(config.get("Env") or ()),
    )


def engine_from(info: Mapping[str, Any]) -> EngineFacts:
    """From `GET /info`. The containerd store names itself in the driver's status."""
    status = [list(pair) for pair in info.get("DriverStatus") or ()]
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        driver=str(info.get("Driver", "")),
        containerd_store=any("io.containerd.snapshotter" in str(pair) for pair in status),
        root_dir=str(info.get("DockerRootDir", "")),
    )


def names_from(listed: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of an entry of `GET /images/json`: tags, else a digest, else one empty name."""
    tags = [t for t in listed.get("RepoTags") or () if t.partition(":")[0] not in _NO_NAMES]
    digests = [d for d in listed.get("RepoDigests") or () if d.partition("@")[0] not in _NO_NAMES]
    return tuple(tags or digests[:1] or ("",))


def usage_from(data: Mapping[str, Any], free: str = "") -> DiskUsage:
    """From `GET /system/df`, before and since version 1.52 of the API; `free`: bytes, as df prints them."""
    images, cache = data.get("ImageUsage") or {}, data.get("BuildCacheUsage") or {}
    records = cache.get("Items") or data.get("BuildCache") or ()
    own = sum(int(r.get("Size") or 0) for r in records if not r.get("Shared"))
    return DiskUsage(
        images_bytes=int(images.get("TotalSize", data.get("LayersSize")) or 0),
        cache_bytes=int(cache.get("TotalSize", own) or 0),
        cache=tuple(_record(r) for r in records),
        free_bytes=int(free) if free.strip().isdigit() else None,
    )


def _record(data: Mapping[str, Any]) -> CacheRecord:
    kept = data.get("InUse") or data.get("Shared") or data.get("Type") in _INNER
    used_at = data.get("LastUsedAt") or data.get("CreatedAt") or ""
    return CacheRecord(int(data.get("Size") or 0), str(used_at), prunable=not kept)
