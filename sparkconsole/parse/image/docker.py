"""What Docker says: the engine's JSON (20.10 to 29, both stores), where it listens, why it refused to run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sparkconsole.errors import last_reason
from sparkconsole.model.docker import CacheRecord, Container, DiskUsage, ImageIdentity, settings
from sparkconsole.model.docker_host import DockerHost, found_at
from sparkconsole.model.image.bases import is_digest
from sparkconsole.model.launch.state import Why
from sparkconsole.parse.diagnose.explain import cause_of
from sparkconsole.parse.known import During
from sparkconsole.parse.values import as_count, as_list, as_object, plain_image, plain_name, whole

_CONFIG_KEYS = ("Env", "Entrypoint", "Cmd", "WorkingDir", "User", "Labels")
_NO_NAMES = ("<none>", "moby-dangling")
"""What engines write where an image has no name: the graph drivers, the containerd store."""
_INNER = ("internal", "frontend")
"""Build cache that a plain `docker builder prune` leaves."""
_TAKEN = re.compile(r'container name "/?([^"]+)" is already in use')
_NOT_HERE = re.compile(r"Unable to find image '([^']+)' locally")
_TLS = ("DOCKER_TLS", "DOCKER_TLS_VERIFY")


def container_from(data: Mapping[str, Any]) -> Container:
    """From `GET /containers/{id}/json`."""
    state, config = as_object(data.get("State")), as_object(data.get("Config"))
    code = state.get("ExitCode")
    running = state.get("Status") == "running"
    return Container(
        name=plain_name(str(data.get("Name", "")).removeprefix("/")),
        id=plain_image(str(data.get("Id", ""))),
        image=plain_image(str(config.get("Image", ""))),
        image_id=plain_image(str(data.get("Image", ""))),
        state=str(state.get("Status", "")),
        exit_code=None if running or not isinstance(code, int) else code,
        oom_killed=bool(state.get("OOMKilled")),
        started_at=str(state.get("StartedAt", "")),
        labels=dict(as_object(config.get("Labels"))),
        environment=dict(e.split("=", 1) for e in _texts(config.get("Env")) if "=" in e),
    )


def image_from(data: Mapping[str, Any], tag: str = "") -> ImageIdentity:
    """From `GET /images/{name}/json`. Empty and absent configuration values are the same thing."""
    config = as_object(data.get("Config"))
    kept = {key: config[key] for key in _CONFIG_KEYS if config.get(key)}
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    return ImageIdentity(
        tag=tag or next(iter(_names(data.get("RepoTags"))), ""),
        id=plain_image(str(data.get("Id", ""))),
        platform="/".join(str(p) for key in ("Os", "Architecture", "Variant") if (p := data.get(key))),
        layers=tuple(_texts(as_object(data.get("RootFS")).get("Layers"))),
        config_digest=digest,
        size_bytes=as_count(data.get("Size")) or 0,
        created=str(data.get("Created") or ""),
        labels=dict(as_object(config.get("Labels"))),
        settings=settings(_texts(config.get("Env"))),
        digests=tuple(_names(data.get("RepoDigests"))),
    )


def digest_from(data: Any) -> str:
    """From `GET /distribution/{name}/json`; empty where it says none."""
    digest = as_object(as_object(data).get("Descriptor")).get("digest")
    return digest if isinstance(digest, str) and is_digest(digest) else ""


def names_from(listed: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of an entry of `GET /images/json`: tags, else a digest, else one empty name."""
    tags = [t for t in _names(listed.get("RepoTags")) if t.partition(":")[0] not in _NO_NAMES]
    digests = [d for d in _names(listed.get("RepoDigests")) if d.partition("@")[0] not in _NO_NAMES]
    return tuple(tags or digests[:1] or ("",))


def usage_from(data: Mapping[str, Any], free: str = "") -> DiskUsage:
    """From `GET /system/df`, before and since version 1.52 of the API; `free`: bytes, as df prints them."""
    images, cache = as_object(data.get("ImageUsage")), as_object(data.get("BuildCacheUsage"))
    records = [as_object(r) for r in as_list(cache.get("Items") or data.get("BuildCache"))]
    own = sum(as_count(r.get("Size")) or 0 for r in records if not r.get("Shared"))
    return DiskUsage(
        images_bytes=as_count(images.get("TotalSize", data.get("LayersSize"))) or 0,
        cache_bytes=as_count(cache.get("TotalSize", own)) or 0,
        cache=tuple(_record(r) for r in records),
        free_bytes=whole(free.strip()),
    )


def _texts(value: Any) -> list[str]:
    """What a list has of text."""
    return [text for text in as_list(value) if isinstance(text, str)]


def _names(value: Any) -> list[str]:
    return [name for name in _texts(value) if plain_image(name)]


def _record(data: Mapping[str, Any]) -> CacheRecord:
    kept = data.get("InUse") or data.get("Shared") or data.get("Type") in _INNER
    used_at = data.get("LastUsedAt") or data.get("CreatedAt") or ""
    return CacheRecord(as_count(data.get("Size")) or 0, str(used_at), prunable=not kept)


def why_refused(stderr: str) -> Why:
    """The reason `docker run` gave."""
    if taken := _TAKEN.search(stderr):
        cause = f"a container called {taken[1]} came up meanwhile; it is left alone"
        return Why(cause, "look: sparkconsole status")
    # What launch starts lies on the node: that docker then looks for it elsewhere is no news.
    text = _NOT_HERE.sub(r"No such image: \1", stderr)
    if found := cause_of(text, During.LAUNCH):
        return Why(found.text, found.remedy)
    reason = last_reason(stderr)
    return Why(f"docker said: {reason[:300]}" if reason else "docker run failed and said nothing")


def name_taken(stderr: str) -> bool:
    """The name belongs to a container that someone else made: it must not be removed."""
    return _TAKEN.search(stderr) is not None


def parse_docker_host(text: str) -> DockerHost:
    """Lines NAME=VALUE of its environment, `context NAME HOST FILES`, `lost SENTENCE` and `rootless PATH`.

    As the docker command decides: DOCKER_HOST, then the context; who says nothing has the usual socket.
    """
    lines = text.splitlines()
    values = {k: v for line in lines for k, eq, v in (line.partition("="),) if eq and v}
    if host := values.get("DOCKER_HOST"):
        return found_at(host, tls=any(values.get(name) for name in _TLS))
    rows = {key: value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    if "lost" in rows:
        why = f"its docker command fails: {rows['lost'][:200]}"
        return DockerHost(named=True, refused=why, remedy="docker context use default, there")
    name, host, files = (*rows.get("context", "").split(), "", "", "")[:3]
    if host and name != "default" and files.isdigit():
        return found_at(host, tls=files != "0")
    if rows.get("rootless", "").startswith("/"):
        return found_at(f"unix://{rows['rootless']}")
    return DockerHost()
