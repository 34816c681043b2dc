"""What benchmarks print: a line per way, and ratios against what a user would otherwise use."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints one table."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=110).print(table)


def cpu_of(argv: Sequence[str], *, runs: int = 5) -> tuple[float, float]:
    """Median CPU and wall seconds of a command, over `runs` runs after one that warms caches."""
    cpu, wall = [], []
    for _ in range(runs + 1):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(argv, capture_output=True, timeout=120, check=False, env=_environment())
        if done.returncode != 0:
            sys.exit(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.decode()[-1000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        wall.append(time.monotonic() - began)
    return statistics.median(cpu[1:]), statistics.median(wall[1:])


def _environment() -> dict[str, str]:
    # As installed: with the compiled modules that pip leaves behind.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
