"""What a pretend engine keeps on disk: images and build cache, and what takes them away."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

from sparkconsole.demo.spark.machine import Machine
from sparkconsole.demo.stories import LAYER_BYTES

Reply = tuple[int | None, str, str]
_REFUSED = "Error response from daemon: conflict: unable to remove"


def disk_usage(machine: Machine) -> dict[str, Any]:
    """As `GET /system/df`: a layer of several images counts once."""
    every = (*machine.images.values(), *machine.nameless.values())
    sized = (zip(image["RootFS"]["Layers"], LAYER_BYTES, strict=False) for image in every)
    layers = {digest: count for layer in sized for digest, count in layer}
    records = [
        {"Size": count, "LastUsedAt": used.isoformat(), "Type": "regular", "InUse": False, "Shared": False}
        for used, count in machine.cache
    ]
    return {"LayersSize": sum(layers.values()), "BuildCache": records}


def registered(name: str) -> dict[str, Any]:
    """As `GET /distribution/{name}/json`, of a registry that has everything."""
    return {"Descriptor": {"digest": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"}}


def tag(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """`docker tag OLD NEW`"""
    image = machine.image(argv[-2])
    if image is None:
        return 1, "", f"No such image: {argv[-2]}"
    machine.take(argv[-1], image)
    return 0, "", ""


def image(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """`docker image rm ID`, `docker image inspect -f {{.Id}} NAME`"""
    if argv[2] != "inspect":
        return remove_image(machine, argv)
    found = machine.image(argv[-1])
    return (0, f"{found['Id']}\n", "") if found else (1, "", f"Error: No such image: {argv[-1]}")


def remove_image(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """`docker rmi NAME`, `docker image rm ID`: the last name of what a container uses stays."""
    word = argv[-1]
    image = machine.image(word)
    if image is None:
        return 1, "", f"Error response from daemon: No such image: {word}"
    named, by_id = machine.named(image["Id"]), word == image["Id"]
    if by_id and len(named) > 1:
        return 1, "", f"{_REFUSED} {word} (must be forced) - image is referenced in multiple repositories"
    user = next((c for c in machine.containers.values() if c.image_id == image["Id"]), None)
    if user is not None and len(named) <= 1:
        return 1, "", f"{_REFUSED} {word} (must force) - container {user.id[:12]} is using its image"
    machine.nameless.pop(image["Id"], None)
    machine.images.pop(named[0] if by_id and named else word, None)
    return 0, f"Untagged: {word}\n", ""


def prune_cache(machine: Machine, argv: tuple[str, ...]) -> Reply:
    """`docker builder prune --force --filter until=72h`"""
    until = re.search(r"until=(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$", argv[-1])
    hours, minutes, seconds = (int(n or 0) for n in until.groups()) if until else (0, 0, 0)
    before = machine.clock.now() - timedelta(hours=hours, minutes=minutes, seconds=seconds)
    gone = sum(count for used, count in machine.cache if used < before)
    machine.cache[:] = [(used, count) for used, count in machine.cache if used >= before]
    return 0, f"Total:\t{gone}B\n", ""
