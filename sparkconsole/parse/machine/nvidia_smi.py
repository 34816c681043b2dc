"""`nvidia-smi --query-…=… --format=csv,noheader,nounits`. GB10 has `[N/A]` where other GPUs have memory."""

from __future__ import annotations

import re

from sparkconsole.model.facts import Gpu, GpuProcess
from sparkconsole.parse.values import number, whole

_LISTED = re.compile(r"^GPU \d+: (.+) \(UUID: (\S+)\)\s*$")
LONGEST, MOST_LINES = 300, 64
"""Characters of a line, and lines of an answer: what no GPU's name and no error of the driver's exceeds."""
_BROKEN = re.compile(r"ERR!|requires reset", re.IGNORECASE)


def parse_gpus(text: str, listed: str = "") -> tuple[tuple[Gpu, ...], str]:
    """The GPUs, and what is wrong with them or what was said instead; empty: nothing is wrong.

    `text` is the answer to the query and ends with `status N`: 124 is a tool that took too long, 127 one that
    is not there. `listed` is what `nvidia-smi -L` said after the query had failed.
    """
    body, _, status = text.strip().rpartition("status ")
    lines = [line.strip()[:LONGEST] for line in body.splitlines()[:MOST_LINES] if line.strip()]
    if status != "0":
        return _listed(listed), _trouble(status, lines)
    gpus = tuple(_gpu(line.split(",")) for line in lines if line.count(",") >= 6)
    broken = next((line for line in lines if _BROKEN.search(line)), "")
    return gpus, broken or ("" if gpus else " ".join(lines)[:LONGEST] or "nvidia-smi lists no GPU")


def _trouble(status: str, lines: list[str]) -> str:
    known = {"": "nvidia-smi is not there", "124": "nvidia-smi did not answer within 5 s"}
    known["127"] = known[""]
    return known.get(status) or " ".join(lines)[:LONGEST] or f"nvidia-smi ended with status {status[:9]}"


def _listed(text: str) -> tuple[Gpu, ...]:
    found = (_LISTED.match(line[:LONGEST]) for line in text.splitlines()[:MOST_LINES])
    return tuple(Gpu(m[1], m[2]) for m in found if m)


def _gpu(row: list[str]) -> Gpu:
    name, uuid, use, power, heat, clock, driver, pstate, capability, *_ = (*(c.strip() for c in row), "", "")
    readings = (number(use), number(power), number(heat), number(clock))
    return Gpu(name, uuid, *readings, driver, pstate=pstate, compute_cap=capability)


def parse_gpu_processes(text: str) -> tuple[GpuProcess, ...]:
    """`PID, NAME, MiB`, a line each; a name may have commas. Headings and other lines are passed over."""
    found: list[GpuProcess] = []
    for line in text.splitlines():
        pid, _, rest = line.partition(",")
        name, comma, used = rest.rpartition(",")
        if comma and (known := whole(pid.strip())) is not None:
            mib = number(used)
            used_bytes = int(mib * 1024 * 1024) if mib is not None and mib >= 0 else None
            found.append(GpuProcess(known, name.strip()[:LONGEST], used_bytes))
    return tuple(found)
