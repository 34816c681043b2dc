"""One line of a node's sampler becomes a Sample; whatever is missing or senseless in it is unknown.

The line is one JSON object in UTF-8 without line breaks. Every key but `t` and `m` may be missing or null,
and so may every value below; unknown keys are passed over, so that either side may be the newer one::

    {"v": 1,                                  version of this format
     "t": 1763913600.123,                     seconds since 1970, the node's wall clock
     "m": 86400.456,                          seconds, the node's monotonic clock
     "uptime": 1036800.5,                     seconds since the node was started
     "cpu": [81234, 901234],                  ticks over all cores since then: busy, total
     "mem": [128524877824, 97000000000, 0, 0],  bytes: total, available, swap total, swap free
     "cached": 31000000000,                   bytes of page cache, without shared memory
     "oom": 0,                                processes killed for want of memory since the start
     "load": 0.52,                            one-minute load
     "psi": 0.0,                              percent of the last 10 s in which something waited for memory
     "psis": {"cpu some": 1.2, "io full": 0.0},  the same of cpu, memory and io; full: everything waited
     "temp": 58.5,                            °C of the hottest thermal zone
     "rails": {"rocep1s0f1": [true, 123, 456, 0]},  by RDMA device: link is up, bytes received, sent, errors
     "counts": {"rocep1s0f1": {"link_downed": 0, "np_cnp_sent": 7}},  its counters as the driver names them
     "pcie": {"rocep1s0f1": [32.0, 4, 32.0, 4]},    GT/s and lanes now, and what card and slot can do
     "nets": {"enP7s7": [true, 123, 456, 0]},       by interface, the same four
     "gpus": [{"name": "NVIDIA GB10", "uuid": "GPU-…", "util": 71.0, "power": 48.2, "temp": 71.0,
               "clock": 2411.0, "pstate": "P0", "driver": "580.95.05",
               "clock_max": 3003.0, "mem_clock": null, "throttle": 4}],  percent, W, °C, MHz; NVML's bits
     "procs": [[4711, "VLLM::Worker", 96636764160]],  computing on the GPU: pid, name, bytes it holds there
     "gpu_error": "",                         what the GPU's driver said instead; empty: nothing is wrong
     "kernel": ["NVRM: Xid …"],               its new lines that may matter; null: they may not be read
     "disk": 612000000000}                    bytes free in the root file system

Counters are the kernel's, since the device came up; a device with more than one port has `name/2` for its
second.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from sparkconsole.model.facts import Gpu, GpuProcess, Memory
from sparkconsole.model.telemetry import Bus, Counters, Sample
from sparkconsole.parse.values import as_count, as_list, as_number, as_object, json_object

HELD: tuple[tuple[int, str], ...] = (
    (0x04, "power cap"), (0x08, "hardware slowdown"), (0x20, "heat"), (0x40, "heat (hardware)"),
    (0x80, "power brake"),
)  # fmt: skip
"""NVML's clock event reasons that hold a working GPU back; idle and chosen clocks are no trouble."""


MOST_NAMES, MOST_TEXT = 64, 300
"""Devices, processes or counters of a kind, and characters of a text, that a sample may have."""


def parse_sample(line: str) -> Sample | None:
    """None for a line that is none of the sampler's."""
    data = json_object(line) or {}
    clock, mono = as_number(data.get("t")), as_number(data.get("m"))
    if clock is None or mono is None:
        return None
    busy, total = _wholes(data.get("cpu"), 2)
    return Sample(
        clock_s=clock,
        mono_s=mono,
        uptime_s=as_number(data.get("uptime")),
        cpu_busy=busy or 0,
        cpu_total=total or 0,
        memory=_memory(data.get("mem")),
        load=as_number(data.get("load")),
        pressure=as_number(data.get("psi")),
        temperature_c=as_number(data.get("temp")),
        pressures=_pressures(data.get("psis")),
        cached=as_count(data.get("cached")),
        oom_kills=as_count(data.get("oom")),
        kernel=_kernel(data.get("kernel")),
        rails=_counters(data.get("rails"), data.get("counts")),
        buses=_buses(data.get("pcie")),
        nets=_counters(data.get("nets")),
        gpus=tuple(_gpu(row) for row in _listed(data.get("gpus")) if isinstance(row, dict)),
        gpu_processes=tuple(p for row in _listed(data.get("procs")) if (p := _process(row))),
        gpu_error=_text(data.get("gpu_error")),
        disk_free=as_count(data.get("disk")),
    )


def _memory(value: Any) -> Memory | None:
    total, available, swap, swap_free = _wholes(value, 4)
    if not total or available is None:
        return None
    return Memory(total, available, swap or 0, swap_free or 0)


def _named(value: Any) -> Mapping[str, Any]:
    """Of at most MOST_NAMES names."""
    return {str(name)[:MOST_TEXT]: cell for name, cell in islice(as_object(value).items(), MOST_NAMES)}


def _listed(value: Any) -> list[Any]:
    """The first MOST_NAMES of them."""
    return list(as_list(value)[:MOST_NAMES])


def _pressures(value: Any) -> dict[str, float]:
    found = {str(name): as_number(cell) for name, cell in _named(value).items()}
    return {name: share for name, share in found.items() if share is not None}


def _kernel(value: Any) -> tuple[str, ...] | None:
    return tuple(_text(line) for line in _listed(value) if _text(line)) if isinstance(value, list) else None


def _buses(value: Any) -> dict[str, Bus]:
    found = {str(name): [as_number(cell) for cell in _listed(row)] for name, row in _named(value).items()}
    return {n: Bus(*map(float, r)) for n, r in found.items() if len(r) == 4 and None not in r}  # type: ignore[arg-type]


def _counters(value: Any, counts: Any = None) -> dict[str, Counters]:
    data = _named(counts)
    rows = _named(value).items()
    return {str(n): _counter(row, data.get(n)) for n, row in rows if isinstance(row, list) and row}


def _counter(row: list[Any], counts: Any) -> Counters:
    rx, tx, errors = _wholes(row[1:], 3)
    named = {str(name): as_count(cell) for name, cell in _named(counts).items()}
    known = {name: count for name, count in named.items() if count is not None}
    return Counters(row[0] if isinstance(row[0], bool) else None, rx, tx, errors, known)


def _gpu(row: Mapping[str, Any]) -> Gpu:
    bits = as_count(row.get("throttle"))
    return Gpu(
        name=_text(row.get("name")),
        uuid=_text(row.get("uuid")),
        utilisation=as_number(row.get("util")),
        power_w=as_number(row.get("power")),
        temperature_c=as_number(row.get("temp")),
        clock_mhz=as_number(row.get("clock")),
        driver=_text(row.get("driver")),
        pstate=_text(row.get("pstate")),
        clock_max_mhz=as_number(row.get("clock_max")),
        memory_clock_mhz=as_number(row.get("mem_clock")),
        held=None if bits is None else tuple(word for bit, word in HELD if bits & bit),
    )


def _process(row: Any) -> GpuProcess | None:
    if not isinstance(row, list) or len(row) < 2 or (pid := as_count(row[0])) is None:
        return None
    return GpuProcess(pid, _text(row[1]), as_count(row[2]) if len(row) > 2 else None)


def _text(value: Any) -> str:
    return value[:MOST_TEXT] if isinstance(value, str) else ""


def _wholes(value: Any, count: int) -> list[int | None]:
    """Exactly `count` of them; what is not there is None."""
    return [as_count(cell) for cell in (*_listed(value), *(None,) * count)][:count]
