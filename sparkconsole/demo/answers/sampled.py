"""What a pretend Spark's sampler says, its page cache, and its server's /metrics: numbers from its life."""

from __future__ import annotations

import json
import math

from sparkconsole.demo import stories
from sparkconsole.demo.spark import life
from sparkconsole.demo.spark.machine import SERVING_BYTES, SWAP, TOTAL_BYTES, Machine, proc_lines
from sparkconsole.demo.spark.servers import live

FREE_BYTES, FULL_BYTES = 2_600_000_000_000, 1_200_000_000
"""Of the disk, usually and when it is full."""
SHORT_BYTES = 3_000_000_000
"""Below that everything waits for memory."""
_HELD_BY_HEAT, _HOT_C = 0x20, 88.0
"""NVML's bit, and the degrees from which life.clock_mhz holds the clock back."""
_BUS = (32.0, 4, 32.0, 4)
"""Each half of the card has four lanes of the fifth generation."""
GPU_TROUBLE = {
    "gpu-gone": "Unable to determine the device handle for GPU 000F:01:00.0: Unknown Error",
    "gpu-silent": "the GPU's driver does not answer",
}
_QUIET = ("symbol_error", "np_cnp_sent", "rp_cnp_handled", "out_of_sequence", "packet_seq_err")
_CACHED, _FILLS_S = 28_000_000_000, 900.0
_KEPT = 300_000_000
"""Of the cache: what is in use and stays."""


def sample_line(machine: Machine, since: float | None = None) -> str:
    """One line in the format of parse.machine.telemetry; the kernel tells what came after `since`."""
    if "garbage" in machine.faults:
        return "\x1b[31m[/x] segfault \x00 0xDEADBEEF"
    live(machine)
    number, spells, now = machine.number, machine.spells, machine.clock.monotonic()
    heat = life.heat_c(number, spells, now)
    loaded = life.share_loaded(spells, now)
    after = machine.at(now if since is None else since)
    worker = [4242, "VLLM::Worker_TP0", int(loaded * SERVING_BYTES * 0.95)]
    trouble = next((sentence for kind, sentence in GPU_TROUBLE.items() if kind in machine.faults), "")
    return json.dumps(
        {
            "v": 1,
            "t": round(machine.clock.now().timestamp(), 3),
            "m": round(now - machine.booted, 3),
            "uptime": round(now - machine.booted, 1),
            "cpu": life.cpu_ticks(number, spells, now, machine.booted),
            "mem": [TOTAL_BYTES, machine.available(), SWAP, SWAP],
            "load": life.load_average(number, spells, now),
            "psi": life.pressure(number, spells, now),
            "psis": pressures(machine),
            "cached": cached(machine),
            "oom": sum("Killed process" in text for _, text in machine.kernel),
            "kernel": [text for at, text in machine.kernel if at > after],
            "temp": heat + 3,
            "rails": rails(machine),
            "counts": counts(machine),
            "pcie": dict.fromkeys(rails(machine), _BUS),
            "nets": nets(machine),
            "gpus": [] if trouble else [gpu(machine, heat)],
            "procs": [worker] if loaded > 0.05 and not trouble else [],
            "gpu_error": trouble,
            "disk": free_bytes(machine),
        },
        separators=(",", ":"),
    )


def free_bytes(machine: Machine) -> int:
    """Of the disk."""
    return FULL_BYTES if "disk-full" in machine.faults else FREE_BYTES


def pressures(machine: Machine) -> dict[str, float]:
    """What waits for memory waits for the disk too; all cores are never busy."""
    waited = life.pressure(machine.number, machine.spells, machine.clock.monotonic())
    waited = 60.0 if machine.available() < SHORT_BYTES else waited
    full = round(waited / 3, 2)
    return {"cpu some": 0.0, "memory some": waited, "memory full": full, "io some": waited, "io full": full}


def counts(machine: Machine) -> dict[str, dict[str, int]]:
    """A cable between two has nothing to be congested with."""
    down = {"rocep1s0f1": machine.errors()}
    return {name: {"link_downed": down.get(name, 0), **dict.fromkeys(_QUIET, 0)} for name in rails(machine)}


def gpu(machine: Machine, heat: float) -> dict[str, object]:
    """The one GPU."""
    number, spells, now = machine.number, machine.spells, machine.clock.monotonic()
    return {
        "name": "NVIDIA GB10",
        "uuid": f"GPU-{number:08x}",
        "util": life.gpu_percent(number, spells, now),
        "power": life.power_w(number, spells, now),
        "temp": heat,
        "clock": life.clock_mhz(spells, now, heat),
        "clock_max": 3003.0,
        "throttle": _HELD_BY_HEAT if heat > _HOT_C else 0,
        "pstate": "P0" if life.current(spells, "gpu", now) > 5 else "P8",
        "driver": "580.95.05",
    }


def rails(machine: Machine) -> dict[str, list[object]]:
    """The four ports, two of which have a cable; both halves carry what RDMA moves."""
    moved = life.total(machine.spells, "rails", machine.clock.monotonic(), machine.booted)
    received, sent = _copied(machine)
    base = 41_000_000_000 + machine.number * 7_000_003
    up, came, went = machine.links(), moved * 0.98 + received, moved + sent
    return {
        "rocep1s0f0": [False, 0, 0, 0],
        "rocep1s0f1": [up[0], base + int(came), base + int(went), machine.errors()],
        "roceP2p1s0f0": [False, 0, 0, 0],
        "roceP2p1s0f1": [up[1], base + int(moved * 0.98), base + int(moved), 0],
    }


def _copied(machine: Machine) -> tuple[float, float]:
    """Bytes of images that came and went."""
    spells, now, since = machine.spells, machine.clock.monotonic(), machine.booted
    rate = stories.IMAGE_BYTES / stories.COPY_S
    received, sent = (rate * life.total(spells, name, now, since) for name in ("received", "sent"))
    return received, sent


def nets(machine: Machine) -> dict[str, list[object]]:
    """The interfaces of the fast link's halves, and the 10G port. Images travel by the first."""
    up, alive = machine.links(), int(machine.clock.monotonic() - machine.booted)
    received, sent = map(int, _copied(machine))
    return {
        "enp1s0f1np1": [up[0], 910_000 * alive + received, 880_000 * alive + sent, 0],
        "enP2p1s0f1np1": [up[1], 40 * alive, 40 * alive, 0],
        "enP7s7": [True, 21_000 * alive, 9_000 * alive, 0],
    }


def metrics(machine: Machine) -> str:
    """vLLM's Prometheus text; a server always has a few requests, and a benchmark many."""
    spells, now = machine.spells, machine.clock.monotonic()
    served = [s for s in spells if s.kind == "serve"]
    serving = served[-1:] if machine.hangs else [s for s in served if s.runs(now)]
    asked = [s for s in spells if s.kind == "bench"]
    since = serving[-1].began if serving else now
    quiet = sum(life.done(s, now) for s in serving)
    loud = sum(life.done(s, now, since) for s in asked)
    running = round(2 * sum(life.wave(s, now) for s in serving)) + 8 * sum(s.runs(now) for s in asked)
    running = max(1, running) if machine.hangs else running
    rows = {
        "num_requests_running": running,
        "num_requests_waiting": 2 * sum(s.runs(now) for s in asked),
        "kv_cache_usage_perc": round(min(0.97, 0.07 * running + 0.01), 4),
        "prompt_tokens_total": int(610 * quiet + 2900 * loud),
        "generation_tokens_total": int(41 * quiet + 152 * loud),
        "time_to_first_token_seconds_count": int(quiet + loud),
        "time_to_first_token_seconds_sum": round(0.31 * int(quiet + loud), 3),
        "inter_token_latency_seconds_count": int(41 * quiet + 152 * loud),
        "inter_token_latency_seconds_sum": round(0.024 * int(41 * quiet + 152 * loud), 3),
    }
    return "".join(f'vllm:{name}{{engine="0",model_name="demo"}} {value}\n' for name, value in rows.items())


def cached(machine: Machine) -> int:
    """Bytes of page cache now."""
    most = min(_CACHED, machine.available() // 2)
    filled = 1.0 - math.exp(-(machine.clock.monotonic() - machine.dropped) / _FILLS_S)
    return int(_KEPT + max(0, most - _KEPT) * filled)


def memory_look(machine: Machine, image: str) -> str:
    """As remote.node.facts looks: its login may use sudo."""
    available, kept = machine.available(), cached(machine)
    free = {"MemFree": available - kept, "MemAvailable": available, "Buffers": 0, "Cached": kept}
    return proc_lines(MemTotal=TOTAL_BYTES, **free) + ("Way: sudo\n" if image else "")
