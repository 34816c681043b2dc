"""What one look at a machine tells; None means that nobody said."""

from __future__ import annotations

from dataclasses import dataclass, field

from sparkconsole.model.fabric import Fabric


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. GB10 says N/A for memory, so it is not here."""

    name: str
    uuid: str = ""
    utilisation: float | None = None
    """Percent."""
    power_w: float | None = None
    temperature_c: float | None = None
    clock_mhz: float | None = None
    driver: str = ""
    pstate: str = ""
    """`P0` busy, `P8` idle."""
    compute_cap: str = ""


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that computes on the GPU."""

    pid: int
    name: str
    used: int | None = None
    """Bytes; None: nobody said."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Unified memory, in bytes: the GPU's memory is this one."""

    total: int
    available: int
    swap_total: int = 0
    swap_free: int = 0

    @property
    def used(self) -> int:
        """Total less available: page cache that can be given back is not in use."""
        return self.total - self.available


@dataclass(frozen=True, slots=True)
class DockerStanding:
    """How Docker stands for the user who looked."""

    installed: bool = False
    running: bool = False
    permitted: bool = False
    version: str = ""
    driver: str = ""
    root: str = ""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One look."""

    node: str
    hostname: str = ""
    kernel: str = ""
    machine: str = ""
    release: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    home: str = ""
    clock_s: float | None = None
    """Its wall clock, seconds since 1970."""
    clock_synced: bool | None = None
    """By NTP, as timedatectl says."""
    fabric: Fabric = field(default_factory=Fabric)
    gpus: tuple[Gpu, ...] = ()
    gpu_error: str = ""
    """What nvidia-smi said instead of an answer."""
    gpu_processes: tuple[GpuProcess, ...] = ()
    memory: Memory | None = None
    docker: DockerStanding = field(default_factory=DockerStanding)
    free: dict[str, int] = field(default_factory=dict)
    """Bytes free where Docker keeps its data (`docker`) and in the home (`home`)."""
    cache_owner: str = ""
    """Who owns ~/.cache/huggingface; empty: it is not there."""
    listening: frozenset[int] = frozenset()
    """TCP ports somebody listens on."""
    unparsed: tuple[str, ...] = ()
    """What was said and not understood, with the tool that said it."""

    @property
    def gpu_used(self) -> int:
        """Bytes that compute processes hold, summed."""
        return sum(p.used or 0 for p in self.gpu_processes)
