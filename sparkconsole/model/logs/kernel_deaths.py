"""What a line of the kernel's log means for a cluster; a line that says nothing bad means nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KernelDeath:
    """Something that the kernel saw break."""

    id: str
    level: str
    """error, warning."""
    meaning: str


_TABLE: tuple[tuple[str, str, str, str], ...] = (
    ("gpu lost", "error", "fallen off the bus|GPU has been lost", "the GPU fell off its bus"),
    ("gpu memory", "error", "NV_ERR_NO_MEMORY", "the GPU driver ran out of memory"),
    ("xid", "error", r"NVRM: Xid", "the GPU reported an error"),
    ("gpu driver", "warning", "NVRM: .*(GPU requires reset|RmInitAdapter failed)", "the GPU driver failed"),
    ("oom", "error", r"[Oo]ut of memory: Killed process|oom-kill:|invoked oom-killer", "out of memory"),
    ("pcie timeout", "error", "CmpltTO|Completion Timeout", "a PCIe device did not answer"),
    ("smmu", "error", "CMD_SYNC timeout", "the SMMU hung"),
    ("aer", "error", r"AER: .*(Uncorrected|\(Fatal\)|Uncorrectable)", "a PCIe link broke"),
    ("nic", "error", "mlx5.*(health compromised|health counter|fatal|syndrome)", "the network card failed"),
    ("nic command", "warning", "mlx5.*(timeout|failed)", "the network card's driver had trouble"),
    ("slot power", "warning", "slot power capability was not advertised",
     "the cable was plugged in while it ran: the card may be slow until both ends boot"),
    ("hung", "warning", "blocked for more than", "a process hangs in the kernel"),
    ("lockup", "error", "soft lockup|hard LOCKUP|Kernel panic", "the kernel itself hangs"),
    ("disk", "error", "I/O error, dev nvme|nvme.*I/O error", "the disk failed"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), KernelDeath(i, level, what)) for i, level, pattern, what in _TABLE)


def death(line: str) -> KernelDeath | None:
    """The first that fits, the worst first; None for what a healthy machine says too."""
    return next((found for pattern, found in _PATTERNS if pattern.search(line)), None)
