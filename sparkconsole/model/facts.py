"""What one look at a machine tells; None means that nobody said."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkconsole.model.docker_host import DockerHost
from sparkconsole.model.fabric.links import Fabric


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
    clock_max_mhz: float | None = None
    memory_clock_mhz: float | None = None
    """A GB10 does not say."""
    held: tuple[str, ...] | None = None
    """Why its clock is held back; empty: by nothing; None: nobody said."""


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
class DockerAccess:
    """How Docker stands for the user who looked."""

    installed: bool = False
    running: bool = False
    permitted: bool = False
    version: str = ""
    driver: str = ""
    root: str = ""
    host: DockerHost | None = None
    """Where somebody said that its engine listens; None: at the usual socket."""
    socket: bool = False
    """Its socket is there; that somebody answers at it is another matter."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody listens on a TCP port."""

    address: str
    port: int
    program: str = ""
    """Who it is; empty: nobody said."""

    @property
    def open(self) -> bool:
        """Other machines reach it."""
        return not ipaddress.ip_address(self.address).is_loopback


@dataclass(frozen=True, slots=True)
class Bystander:
    """A container of any name, as `docker ps -a` lists it."""

    name: str
    state: str
    status: str = ""
    """`Exited (137) 2 hours ago`."""
    image: str = ""
    ports: str = ""


@dataclass(frozen=True, slots=True)
class DeepProbe:
    """What only the doctor looks for. An empty value: nobody said."""

    uid: int | None = None
    ssh_folder: bool | None = None
    docker_group: tuple[str, ...] = ()
    """Who may use docker after the next login."""
    hotplug: bool | None = None
    """The ConnectX-7 is powered off without a cable."""
    reboot_required: bool | None = None
    lingers: bool | None = None
    """The user's processes and IPC outlive the last login."""
    login: Mapping[str, str] = field(default_factory=dict)
    """logind's own settings, such as `RemoveIPC`."""
    firmware: Mapping[str, str] = field(default_factory=dict)
    """NIC firmware by RDMA device."""
    cuda: str = ""
    """The newest CUDA that the driver offers."""
    default_routes: tuple[str, ...] = ()
    """Interfaces, the preferred first."""
    listeners: tuple[Listener, ...] = ()
    containers: tuple[Bystander, ...] | None = None
    """None: docker was not asked or did not answer."""
    kernel_log: Mapping[str, int] = field(default_factory=dict)
    """How often the kernel said each of a few bad things since it booted."""
    compile_cache_types: Mapping[str, str] = field(default_factory=dict)
    cache_closed: str = ""
    """The first folder of the model cache that the user may not write to."""
    firmware_news: str = ""
    """What fwupd has for this machine."""
    nic_updater: bool | None = None
    """mlnx-fw-updater is installed."""
    uptime_s: float | None = None
    ended: bool | None = None
    """The boot before this one ended with a shutdown; None: its journal is not there, or may not be read."""
    clamps: Mapping[str, int] = field(default_factory=dict)
    """The highest GPU clock in MHz that a unit of systemd sets at boot, by the unit's name."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One look."""

    node: str
    hostname: str = ""
    kernel: str = ""
    machine: str = ""
    release: str = ""
    user: str = ""
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
    docker: DockerAccess = field(default_factory=DockerAccess)
    free: dict[str, int] = field(default_factory=dict)
    """Bytes free where Docker keeps its data (`docker`) and in the home (`home`)."""
    hf_cache: str = ""
    """The folder of its models, as HF_HOME; empty: nobody asked."""
    cache_owner: str = ""
    """Who owns that folder; empty: it is not there."""
    listening: frozenset[int] = frozenset()
    """TCP ports somebody listens on."""
    unparsed: tuple[str, ...] = ()
    """What was said and not understood, with the tool that said it."""
    deep_probe: DeepProbe | None = None
    """None: it was not looked for."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of its interfaces."""
        return tuple(a for netdev in self.fabric.netdevs for a in netdev.addresses)

    @property
    def found(self) -> DeepProbe:
        """What a thorough look found; nothing where none was taken."""
        return self.deep_probe or DeepProbe()

    @property
    def gpu_silent(self) -> bool:
        """Its tool gave no answer at all: what GPU there is, and what runs on it, is unknown."""
        return bool(self.gpu_error) and not self.gpus and "did not answer" in self.gpu_error

    @property
    def gpu_used(self) -> int | None:
        """Bytes that compute processes hold, summed; None: nobody said."""
        if self.gpu_silent:
            return None
        return sum(p.used or 0 for p in self.gpu_processes)
