"""`nvidia-smi --query-…=… --format=csv,noheader,nounits`. GB10 has `[N/A]` where other GPUs have memory."""

from __future__ import annotations

from sparkconsole.model.facts import Gpu


def number(cell: str) -> float | None:
    """A cell's number; None for `[N/A]`, `Not Supported` and the like."""
    try:
        return float(cell.strip().split(" ")[0])
    except ValueError:
        return None


def parse_gpus(text: str) -> tuple[tuple[Gpu, ...], str]:
    """The GPUs, or what the tool said instead. The last line is `status N`, its exit status."""
    *lines, status = [*text.strip().splitlines(), ""] if "status" not in text else text.strip().splitlines()
    if status != "status 0":
        return (), " ".join(lines).strip() or "nvidia-smi is not there"
    rows = [[c.strip() for c in line.split(",")] for line in lines]
    return tuple(_gpu(r) for r in rows if len(r) == 7), ""


def _gpu(cells: list[str]) -> Gpu:
    name, uuid, use, power, temperature, clock, driver = cells
    return Gpu(name, uuid, number(use), number(power), number(temperature), number(clock), driver)


def parse_gpu_used(text: str) -> int:
    """Bytes that compute processes hold: the third column, MiB, summed."""
    cells = (number(line.rsplit(",", 1)[-1]) for line in text.splitlines() if "," in line)
    return int(sum(c for c in cells if c is not None) * 1024 * 1024)
