"""What a node's sampler counts every second, and what two of its samples mean: rates, shares, histories."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sparkconsole.model.facts import Gpu, GpuProcess, Memory

HISTORY = 300
"""Readings that a series keeps: five minutes at one a second."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes since the interface came up; errors are drops, CRC and link failures together."""

    up: bool | None = None
    rx: int | None = None
    tx: int | None = None
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a node's sampler: counters as the kernel has them. None: nobody said."""

    clock_s: float
    """The node's wall clock."""
    mono_s: float
    """The node's monotonic clock; rates are over this one."""
    cpu_busy: int = 0
    cpu_total: int = 0
    """Ticks over all cores."""
    memory: Memory | None = None
    load: float | None = None
    """One-minute load."""
    pressure: float | None = None
    """PSI: share of the last ten seconds in which something waited for memory, in percent."""
    temperature_c: float | None = None
    """The hottest thermal zone."""
    rails: Mapping[str, Counters] = field(default_factory=dict)
    """By RDMA device."""
    nets: Mapping[str, Counters] = field(default_factory=dict)
    """By network interface; without loopback and containers' own."""
    gpus: tuple[Gpu, ...] = ()
    gpu_processes: tuple[GpuProcess, ...] = ()
    gpu_error: str = ""
    disk_free: int | None = None
    """Bytes free in the root file system."""
    uptime_s: float | None = None
    """Since the node was started."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A rail or an interface between two samples."""

    up: bool | None = None
    rx_per_s: float | None = None
    tx_per_s: float | None = None
    """Bytes a second."""
    errors: int = 0
    """New ones since the sample before."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a node does right now."""

    clock_s: float
    cpu: float | None = None
    """Percent of all cores."""
    memory: Memory | None = None
    load: float | None = None
    pressure: float | None = None
    temperature_c: float | None = None
    rails: Mapping[str, Flow] = field(default_factory=dict)
    nets: Mapping[str, Flow] = field(default_factory=dict)
    gpus: tuple[Gpu, ...] = ()
    gpu_processes: tuple[GpuProcess, ...] = ()
    gpu_error: str = ""
    disk_free: int | None = None
    uptime_s: float | None = None

    @property
    def gpu_used(self) -> int:
        """Bytes that compute processes hold, summed."""
        return sum(p.used or 0 for p in self.gpu_processes)


def reading(before: Sample | None, now: Sample) -> Reading:
    """What `now` means; rates only when there is a sample before it and no counter went backwards."""
    seconds = now.mono_s - before.mono_s if before else 0.0
    ticks = now.cpu_total - before.cpu_total if before else 0
    return Reading(
        clock_s=now.clock_s,
        cpu=100.0 * (now.cpu_busy - before.cpu_busy) / ticks if before and ticks > 0 else None,
        memory=now.memory,
        load=now.load,
        pressure=now.pressure,
        temperature_c=now.temperature_c,
        rails=_flows(before.rails if before else {}, now.rails, seconds),
        nets=_flows(before.nets if before else {}, now.nets, seconds),
        gpus=now.gpus,
        gpu_processes=now.gpu_processes,
        gpu_error=now.gpu_error,
        disk_free=now.disk_free,
        uptime_s=now.uptime_s,
    )


def _flows(before: Mapping[str, Counters], now: Mapping[str, Counters], seconds: float) -> dict[str, Flow]:
    return {name: _flow(before.get(name, Counters()), counted, seconds) for name, counted in now.items()}


def _flow(before: Counters, now: Counters, seconds: float) -> Flow:
    rx, tx = _rate(before.rx, now.rx, seconds), _rate(before.tx, now.tx, seconds)
    grown = (now.errors or 0) - before.errors if before.errors is not None else 0
    return Flow(now.up, rx, tx, max(0, grown))


def _rate(before: int | None, now: int | None, seconds: float) -> float | None:
    """A counter that went back was reset: no rate is better than a wrong one."""
    if before is None or now is None or seconds <= 0 or now < before:
        return None
    return (now - before) / seconds


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
