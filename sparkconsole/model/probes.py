"""What may be asked of nodes and between them, by name: whoever needs little asks for little."""

from __future__ import annotations

from enum import StrEnum


class Probe(StrEnum):
    """Who a node is, its release, memory and listening ports are always told; the rest is asked for."""

    FABRIC = "fabric"
    """RDMA ports, interfaces, addresses."""
    GPU = "gpu"
    DOCKER = "docker"
    """How Docker stands, the container, the image."""
    DISK = "disk"
    CACHE = "cache"
    """Who owns the model cache."""
    NTP = "ntp"
    DEEP = "deep"
    """Everything of `Thorough` that is read from files."""
    CUDA = "cuda"
    LISTENERS = "listeners"
    CONTAINERS = "containers"
    KERNEL = "kernel"
    """What the kernel said since it booted."""
    BOOT = "boot"
    """How the boot before this one ended."""
    MODEL = "model"
    CONTENTS = "contents"
    """What is in the image."""
    PATHS = "paths"
    """Pings and routes between the nodes."""
    RAY = "ray"
    RANKS = "ranks"
    """The servers that run in the containers."""
    RECORDS = "records"
    """What the console itself kept: benchmarks, and the servers that it started."""


USUAL = frozenset({Probe.FABRIC, Probe.GPU, Probe.DOCKER, Probe.DISK, Probe.CACHE, Probe.NTP})
"""What a launch looks at."""
DEEPER = frozenset((Probe.DEEP, Probe.CUDA, Probe.LISTENERS, Probe.CONTAINERS, Probe.KERNEL, Probe.BOOT))
"""What only the doctor looks at, in the same one command."""
EVERYTHING = frozenset(Probe)
