"""What a node's sampler counts every second, and what two of its samples mean: rates, shares, histories."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sparkconsole.model.facts import Gpu, GpuProcess, Memory

HISTORY = 300
"""Readings that a series keeps: five minutes at one a second."""


MARKS = ("np_cnp_sent", "rp_cnp_handled")
LOSSES = ("out_of_sequence", "packet_seq_err", "local_ack_timeout_err", "rx_discards", "port_xmit_discards")
FASTEST = 1e12
"""Bytes a second that nothing carries: a counter that jumped so far told nonsense."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes since the interface came up; errors are drops, CRC and link failures together."""

    up: bool | None = None
    rx: int | None = None
    tx: int | None = None
    errors: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """By the driver's names: errors, congestion marks, lost packets. What it has not is not here."""


@dataclass(frozen=True, slots=True)
class Bus:
    """How a device sits on PCIe: GT/s and lanes now, and the most that it and its slot can do."""

    speed: float
    width: float
    most_speed: float
    most_width: float

    @property
    def narrow(self) -> bool:
        """It carries less than it could."""
        return self.speed < self.most_speed or self.width < self.most_width

    def __str__(self) -> str:
        return f"{self.speed:g} GT/s x{self.width:g}"


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a sampled line and a reading have in common. None: nobody said."""

    clock_s: float
    """The node's wall clock."""
    memory: Memory | None = None
    load: float | None = None
    """One-minute load."""
    pressure: float | None = None
    """PSI: share of the last ten seconds in which something waited for memory, in percent."""
    pressures: Mapping[str, float] = field(default_factory=dict)
    """By `cpu some`, `memory some`, `memory full`, `io some`, `io full`."""
    cached: int | None = None
    """Bytes of page cache: the kernel gives them back, CUDA does not always get them."""
    oom_kills: int | None = None
    """Since the node was started; in a reading, since the sample before."""
    kernel: tuple[str, ...] | None = None
    """What the kernel said since the line before that may matter; None: its log may not be read."""
    buses: Mapping[str, Bus] = field(default_factory=dict)
    """By RDMA device."""
    temperature_c: float | None = None
    """The hottest thermal zone."""
    rails: Mapping[str, object] = field(default_factory=dict)
    """By RDMA device."""
    nets: Mapping[str, object] = field(default_factory=dict)
    """By network interface; without loopback and containers' own."""
    gpus: tuple[Gpu, ...] = ()
    gpu_processes: tuple[GpuProcess, ...] = ()
    gpu_error: str = ""
    disk_free: int | None = None
    """Bytes free in the root file system."""
    uptime_s: float | None = None
    """Since the node was started."""


@dataclass(frozen=True, slots=True)
class Sample(Vitals):
    """One line of a node's sampler: counters as the kernel has them."""

    rails: Mapping[str, Counters] = field(default_factory=dict)
    nets: Mapping[str, Counters] = field(default_factory=dict)
    mono_s: float = field(kw_only=True)
    """The node's monotonic clock; rates are over this one."""
    cpu_busy: int = 0
    cpu_total: int = 0
    """Ticks over all cores."""


@dataclass(frozen=True, slots=True)
class LinkTraffic:
    """A rail or an interface between two samples."""

    up: bool | None = None
    rx_per_s: float | None = None
    tx_per_s: float | None = None
    """Bytes a second."""
    errors: int = 0
    """New ones since the sample before."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """The driver's counters that grew since the sample before, and by how much."""

    @property
    def marks(self) -> int:
        """Congestion notices sent and heeded."""
        return sum(self.counts.get(name, 0) for name in MARKS)

    @property
    def losses(self) -> int:
        """Packets that came in the wrong order, not at all, or not in time."""
        return sum(self.counts.get(name, 0) for name in LOSSES)


@dataclass(frozen=True, slots=True)
class Reading(Vitals):
    """What a node does right now."""

    rails: Mapping[str, LinkTraffic] = field(default_factory=dict)
    nets: Mapping[str, LinkTraffic] = field(default_factory=dict)
    cpu: float | None = None
    """Percent of all cores."""

    @property
    def gpu_known(self) -> bool:
        """Somebody said which GPUs there are, if any, and what runs on them."""
        return bool(self.gpus) or not self.gpu_error or "lists no GPU" in self.gpu_error

    @property
    def gpu_used(self) -> int | None:
        """Bytes that compute processes hold, summed; None: nobody said."""
        if not self.gpu_known:
            return None
        return sum(p.used or 0 for p in self.gpu_processes)


def reading(before: Sample | None, now: Sample) -> Reading:
    """What `now` means; rates only when there is a sample before it and no counter went backwards."""
    seconds = now.mono_s - before.mono_s if before else 0.0
    data: dict[str, Any] = {f.name: getattr(now, f.name) for f in fields(Vitals)}
    data["oom_kills"] = _grown(before.oom_kills if before else None, now.oom_kills)
    data["rails"] = _flows(before.rails if before else {}, now.rails, seconds)
    data["nets"] = _flows(before.nets if before else {}, now.nets, seconds)
    return Reading(**data, cpu=_cpu(before, now) if before else None)


def _flows(
    before: Mapping[str, Counters], now: Mapping[str, Counters], seconds: float
) -> dict[str, LinkTraffic]:
    return {name: _flow(before.get(name, Counters()), counted, seconds) for name, counted in now.items()}


def _cpu(before: Sample, now: Sample) -> float | None:
    """Percent; the kernel's ticks may go back a little."""
    busy, ticks = now.cpu_busy - before.cpu_busy, now.cpu_total - before.cpu_total
    return 100.0 * busy / ticks if ticks > 0 and 0 <= busy <= ticks else None


def _flow(before: Counters, now: Counters, seconds: float) -> LinkTraffic:
    rx, tx = _rate(before.rx, now.rx, seconds), _rate(before.tx, now.tx, seconds)
    new = {name: _grown(before.counts.get(name), count) for name, count in now.counts.items()}
    grown = {name: count for name, count in new.items() if count}
    return LinkTraffic(now.up, rx, tx, _grown(before.errors, now.errors) or 0, grown)


def _grown(before: int | None, now: int | None) -> int | None:
    """How many are new; a counter that went back was reset."""
    return None if before is None or now is None else max(0, now - before)


def _rate(before: int | None, now: int | None, seconds: float) -> float | None:
    """A counter that went back was reset: no rate is better than a wrong one."""
    if before is None or now is None or seconds <= 0 or now < before:
        return None
    rate = (now - before) / seconds
    return rate if rate < FASTEST else None


STUCK_PERCENT, STUCK_MHZ, STUCK_W = 80.0, 900.0, 30.0
"""A GB10 that works at full use below both of the last is stuck in its low-power state."""


def is_stuck(gpu: Gpu) -> bool:
    """Full use, a third of the clock, hardly any power, and nothing that says why."""
    if gpu.held or gpu.utilisation is None or gpu.clock_mhz is None or gpu.power_w is None:
        return False
    slow = gpu.clock_mhz <= STUCK_MHZ and gpu.power_w <= STUCK_W
    return slow and gpu.utilisation >= STUCK_PERCENT


def as_data(now: Reading) -> dict[str, Any]:
    """All of it under the names it has here, for `--json` and files."""
    memory = now.memory
    unknown = {} if now.gpu_known else {"gpus": None, "gpu_processes": None}
    return {
        "clock_s": now.clock_s,
        "cpu": now.cpu,
        **asdict(now),
        **unknown,
        "memory": {**asdict(memory), "used": memory.used, "cached": now.cached} if memory else None,
        "kernel": list(now.kernel) if now.kernel is not None else None,
        "gpu_used": now.gpu_used,
    }


MEASURES: Mapping[str, Callable[[Reading], float | None]] = {
    "gpu": lambda r: r.gpus[0].utilisation if r.gpus else None,
    "power": lambda r: r.gpus[0].power_w if r.gpus else None,
    "temperature": lambda r: (r.gpus[0].temperature_c if r.gpus else None) or r.temperature_c,
    "cpu": lambda r: r.cpu,
    "memory": lambda r: 100.0 * r.memory.used / r.memory.total if r.memory and r.memory.total else None,
    "rdma_rx": lambda r: _sum(f.rx_per_s for f in r.rails.values()),
    "rdma_tx": lambda r: _sum(f.tx_per_s for f in r.rails.values()),
}
"""What a history is kept of: percent, W, °C, percent, percent, bytes a second."""


def _sum(values: Iterable[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if known else None


class History:
    """The last readings of one node as series of numbers; a gap is None."""

    def __init__(self, keep: int = HISTORY) -> None:
        self._series = {name: deque[float | None](maxlen=keep) for name in MEASURES}

    def add(self, now: Reading) -> None:
        """Appends one reading to every series."""
        for name, measure in MEASURES.items():
            self._series[name].append(measure(now))

    def series(self, name: str, last: int = HISTORY) -> tuple[float | None, ...]:
        """The newest `last` values, oldest first."""
        return tuple(self._series[name])[-last:]
