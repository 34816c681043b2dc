"""One line of a node's sampler becomes a Sample; whatever is missing or senseless in it is unknown.

The line is one JSON object in UTF-8 without line breaks. Every key but `t` and `m` may be missing or null,
and so may every value below; unknown keys are passed over, so that either side may be the newer one::

    {"v": 1,                                  version of this format
     "t": 1763913600.123,                     seconds since 1970, the node's wall clock
     "m": 86400.456,                          seconds, the node's monotonic clock
     "uptime": 1036800.5,                     seconds since the node was started
     "cpu": [81234, 901234],                  ticks over all cores since then: busy, total
     "mem": [128524877824, 97000000000, 0, 0],  bytes: total, available, swap total, swap free
     "load": 0.52,                            one-minute load
     "psi": 0.0,                              percent of the last 10 s in which something waited for memory
     "temp": 58.5,                            °C of the hottest thermal zone
     "rails": {"rocep1s0f1": [true, 123, 456, 0]},  by RDMA device: link is up, bytes received, sent, errors
     "nets": {"enP7s7": [true, 123, 456, 0]},       by interface, the same four
     "gpus": [{"name": "NVIDIA GB10", "uuid": "GPU-…", "util": 71.0, "power": 48.2, "temp": 71.0,
               "clock": 2411.0, "pstate": "P0", "driver": "580.95.05"}],  percent, W, °C, MHz
     "procs": [[4711, "VLLM::Worker", 96636764160]],  computing on the GPU: pid, name, bytes it holds there
     "gpu_error": "",                         what the GPU's driver said instead; empty: nothing is wrong
     "disk": 612000000000}                    bytes free in the root file system

Counters are the kernel's, since the device came up; a device with more than one port has `name/2` for its
second.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sparkconsole.model.facts import Gpu, GpuProcess, Memory
from sparkconsole.model.telemetry import Counters, Sample


def parse_sample(line: str) -> Sample | None:
    """None for a line that is none of the sampler's."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    clock, mono = _number(said.get("t")), _number(said.get("m"))
    if clock is None or mono is None:
        return None
    busy, total = _wholes(said.get("cpu"), 2)
    return Sample(
        clock_s=clock,
        mono_s=mono,
        uptime_s=_number(said.get("uptime")),
        cpu_busy=busy or 0,
        cpu_total=total or 0,
        memory=_memory(said.get("mem")),
        load=_number(said.get("load")),
        pressure=_number(said.get("psi")),
        temperature_c=_number(said.get("temp")),
        rails=_counters(said.get("rails")),
        nets=_counters(said.get("nets")),
        gpus=tuple(_gpu(row) for row in _list(said.get("gpus")) if isinstance(row, dict)),
        gpu_processes=tuple(p for row in _list(said.get("procs")) if (p := _process(row))),
        gpu_error=_text(said.get("gpu_error")),
        disk_free=_whole(said.get("disk")),
    )


def _memory(value: Any) -> Memory | None:
    total, available, swap, swap_free = _wholes(value, 4)
    if not total or available is None:
        return None
    return Memory(total, available, swap or 0, swap_free or 0)


def _counters(value: Any) -> dict[str, Counters]:
    rows = value.items() if isinstance(value, Mapping) else ()
    return {str(name): _counter(row) for name, row in rows if isinstance(row, list) and row}


def _counter(row: list[Any]) -> Counters:
    rx, tx, errors = _wholes(row[1:], 3)
    return Counters(row[0] if isinstance(row[0], bool) else None, rx, tx, errors)


def _gpu(row: Mapping[str, Any]) -> Gpu:
    return Gpu(
        name=_text(row.get("name")),
        uuid=_text(row.get("uuid")),
        utilisation=_number(row.get("util")),
        power_w=_number(row.get("power")),
        temperature_c=_number(row.get("temp")),
        clock_mhz=_number(row.get("clock")),
        driver=_text(row.get("driver")),
        pstate=_text(row.get("pstate")),
    )


def _process(row: Any) -> GpuProcess | None:
    if not isinstance(row, list) or len(row) < 2 or (pid := _whole(row[0])) is None:
        return None
    return GpuProcess(pid, _text(row[1]), _whole(row[2]) if len(row) > 2 else None)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """JSON has NaN and infinity in Python's dialect, and true is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _whole(value: Any) -> int | None:
    found = _number(value)
    return int(value) if found is not None and found >= 0 else None


def _wholes(value: Any, count: int) -> list[int | None]:
    """Exactly `count` of them; what is not there is None."""
    return [_whole(cell) for cell in (*_list(value), *(None,) * count)][:count]
