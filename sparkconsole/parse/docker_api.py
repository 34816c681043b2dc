"""The Docker engine's JSON becomes containers, images and engine facts: 20.10 to 29, both stores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sparkconsole.model.docker import Container, EngineFacts, ImageIdentity, settings

_CONFIG_KEYS = ("Env", "Entrypoint", "Cmd", "WorkingDir", "User", "Labels")


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
