"""RDMA memory that cannot be registered: which of its two causes a node's kernel points to.

Kernels 7.0.0-1019-nvidia and 7.0.0-31 (HWE) keep movable memory for KHO (kexec handover), whatever the
container may lock: NVIDIA's NV-Kernels#590 and operators' reports. Others fail only by the memlock limit.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sparkconsole.model.logs.diagnosis import Diagnosis

ID = "nccl-memory-not-registered"
_KHO = re.compile(r"7\.0\.0-(?:1019|31)\b")
_OFF = re.compile(r"(?:^|\s)kho=(?:off|0)(?:\s|$)")
MEMLOCK = "--ulimit memlock=-1 --cap-add=IPC_LOCK, or --privileged as sparkconsole launch gives it"


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
    why = why_and_remedy(kernel, command_line) if one.id == ID else None
    return replace(one, why=why[0], remedy=why[1]) if why else one
