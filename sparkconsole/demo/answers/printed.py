"""What a pretend Spark's kernel, containers and Ray print; invented in the style of the real ones."""

from __future__ import annotations

from datetime import datetime

from sparkconsole.demo.spark.engine import PretendContainer
from sparkconsole.demo.spark.machine import Machine


def kernel_log(machine: Machine) -> str:
    """As journalctl's short-iso-precise. It only ever grows."""
    lines = (f"{at:%Y-%m-%dT%H:%M:%S.%f%z} {machine.name} kernel: {text}\n" for at, text in machine.kernel)
    return "".join(lines)


def ray_log(container: PretendContainer) -> str:
    """As `tail -v -F` prints several of Ray's files. It only ever grows."""
    lines: list[str] = []
    last = ""
    for at, file, text in container.ray:
        lines += [f"==> {file} <=="] if file != last else []
        pid = 71 if file == "raylet.out" else 58
        lines.append(f"[{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} I {pid} {pid}] {text}")
        last = file
    return "".join(f"{line}\n" for line in lines)


def container_log(container: PretendContainer, *, since: float = 0.0, tail: int | None = None) -> str:
    """Its own process's output, stamped as docker does it; only what is as new as `since`, and its end."""
    lines = [f"{_stamp(at)} {text}\n" for at, text in container.printed if at.timestamp() >= since]
    return "".join(lines[len(lines) - min(tail, len(lines)) :] if tail is not None else lines)


def _stamp(at: datetime) -> str:
    return at.isoformat()
