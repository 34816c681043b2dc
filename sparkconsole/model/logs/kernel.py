"""What the kernel means for a cluster: what a line of its log says broke, and which of two causes RDMA memory
that cannot be registered has on it.

Kernels 7.0.0-1019-nvidia and 7.0.0-31 (HWE) keep movable memory for KHO (kexec handover), whatever the
container may lock: NVIDIA's NV-Kernels#590 and operators' reports. Others fail only by the memlock limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from sparkconsole.model.logs.diagnosis import Diagnosis

NOT_REGISTERED = "nccl-memory-not-registered"
_KHO = re.compile(r"7\.0\.0-(?:1019|31)\b")
_OFF = re.compile(r"(?:^|\s)kho=(?:off|0)(?:\s|$)")
MEMLOCK = "--ulimit memlock=-1 --cap-add=IPC_LOCK, or --privileged as sparkconsole launch gives it"


@dataclass(frozen=True, slots=True)
class KernelDeath:
    """Something that the kernel saw break."""

    id: str
    level: str
    """error, warning."""
    meaning: str


_DEATHS = tuple((re.compile(pattern), KernelDeath(i, level, what)) for i, level, pattern, what in (
    ("gpu lost", "error", "fallen off the bus|GPU has been lost", "the GPU fell off its bus"),
    ("gpu memory", "error", "NV_ERR_NO_MEMORY", "the GPU driver ran out of memory"),
    ("xid", "error", r"NVRM: Xid", "the GPU reported an error"),
    ("gpu driver", "warning", "NVRM: .{0,300}(GPU requires reset|RmInitAdapter failed)",
     "the GPU driver failed"),
    ("oom", "error", r"[Oo]ut of memory: Killed process|oom-kill:|invoked oom-killer", "out of memory"),
    ("pcie timeout", "error", "CmpltTO|Completion Timeout", "a PCIe device did not answer"),
    ("smmu", "error", "CMD_SYNC timeout", "the SMMU hung"),
    ("aer", "error", r"AER: .{0,300}(Uncorrected|\(Fatal\)|Uncorrectable)", "a PCIe link broke"),
    ("nic", "error", "mlx5.{0,300}(health compromised|health counter|fatal|syndrome)",
     "the network card failed"),
    ("nic command", "warning", "mlx5.{0,300}(timeout|failed)", "the network card's driver had trouble"),
    ("slot power", "warning", "slot power capability was not advertised",
     "the cable was plugged in while it ran: the card may be slow until both ends boot"),
    ("hung", "warning", "blocked for more than", "a process hangs in the kernel"),
    ("lockup", "error", "soft lockup|hard LOCKUP|Kernel panic", "the kernel itself hangs"),
    ("disk", "error", "I/O error, dev nvme|nvme.{0,300}I/O error", "the disk failed"),
))  # fmt: skip


def death(line: str) -> KernelDeath | None:
    """The first that fits, the worst first; None for what a healthy machine says too."""
    return next((found for pattern, found in _DEATHS if pattern.search(line)), None)


def why_and_remedy(kernel: str, command_line: str = "") -> tuple[str, str] | None:
    """What it is on a node with that kernel, and what to do; None: nobody knows its kernel.

    `command_line`: the kernel's own (/proc/cmdline), empty where it was not asked.
    """
    if not kernel:
        return None
    if _KHO.match(kernel) and not _OFF.search(command_line):
        why = f"the kernel {kernel} keeps the memory that can be moved for KHO"
        return why, "boot with kho=off on the kernel's command line, or kernel 6.17"
    off = " with kho=off" if _KHO.match(kernel) else ""
    return f"the container's memlock limit is too small: KHO is not it on {kernel}{off}", MEMLOCK


def on_kernel(one: Diagnosis, kernel: str, command_line: str = "") -> Diagnosis:
    """The finding as it is on that node; any other finding as it was."""
    why = why_and_remedy(kernel, command_line) if one.id == NOT_REGISTERED else None
    return replace(one, why=why[0], remedy=why[1]) if why else one
