"""What a pretend Spark's kernel and Ray print; invented in the style of the real ones."""

from __future__ import annotations

from datetime import datetime, timedelta

from sparkconsole.demo.machine import Machine

_FAULTS = {
    "link-down": "mlx5_core 0000:01:00.1 enp1s0f1np1: Link down",
    "flap": "mlx5_core 0000:01:00.1 enp1s0f1np1: Link down",
    "gpu-gone": "NVRM: Xid (PCI:000f:01:00): 79, GPU has fallen off the bus.",
    "oom": "Out of memory: Killed process 4242 (VLLM::Worker_TP) total-vm:131072000kB, anon-rss:118000000kB",
    "hot": "thermal thermal_zone0: critical trip point is near (94 C)",
    "disk-full": "EXT4-fs warning (device nvme0n1p2): ext4_dx_add_entry: no space left on device",
}


def kernel_log(machine: Machine) -> str:
    """As journalctl's short-iso-precise."""
    booted = _at(machine, machine.booted)
    lines = [
        (booted, "Linux version 6.11.0-1016-nvidia (buildd@bos03-arm64) DEMO"),
        (
            booted + timedelta(seconds=4),
            "NVRM: loading NVIDIA UNIX Open Kernel Module for aarch64  580.95.05",
        ),
        (booted + timedelta(seconds=6), "mlx5_core 0000:01:00.1 enp1s0f1np1: Link up"),
        *((_at(machine, since), _FAULTS[kind]) for kind, since in machine.faults.items() if kind in _FAULTS),
    ]
    return "".join(f"{at:%Y-%m-%dT%H:%M:%S.%f%z} {machine.name} kernel: {text}\n" for at, text in lines)


def ray_log(machine: Machine) -> str:
    """As tail prints several of Ray's files."""
    if not machine.in_ray():
        return ""
    started = next(iter(machine.containers.values())).started
    at = datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
    lines = ["==> raylet.out <==", f"[{at} I 71 71] (raylet) main.cc:204: Setting cluster ID to: DEMO"]
    if machine.ray_head():
        lines += ["==> gcs_server.out <=="]
        joined = (m.address for m in machine.cluster.values() if m.in_ray())
        lines += [f"[{at} I 58 58] (gcs_server) gcs_node_manager.cc:79: Registering node {a}" for a in joined]
    return "".join(f"{line}\n" for line in lines)


def _at(machine: Machine, moment: float) -> datetime:
    return machine.clock.now() + timedelta(seconds=moment - machine.clock.monotonic())
