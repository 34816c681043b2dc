"""What 64 nodes at one reading a second cost the console, beside the same console without any reading."""

from __future__ import annotations

import asyncio
import resource
import sys
import time

from sparkconsole.config.globals import Options
from sparkconsole.tui.app import Console
from tests.bench.table import show

NODES, SECONDS, SETTLE_S = 64, 20.0, 8.0
BUDGET = {"table above idle": 2.0, "in all": 10.0}


class Idle(Console):
    """The same console with its view left undrawn."""

    def _sample(self) -> None:
        """Nothing is drawn."""

    def _sample_logs(self) -> None:
        """Nothing is drawn."""


async def _share(app: Console) -> float:
    """Percent of one core over SECONDS, after the nodes were connected."""
    async with app.run_test(size=(160, 48)):
        await app.opened.wait()
        await asyncio.sleep(SETTLE_S)
        before, began = _cpu(), time.monotonic()
        await asyncio.sleep(SECONDS)
        return 100 * (_cpu() - before) / (time.monotonic() - began)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """One way after the other in one process; bounded in time."""
    undrawn = asyncio.run(_share(Idle(Options(demo=NODES))))
    drawn = asyncio.run(_share(Console(Options(demo=NODES))))
    empty = asyncio.run(_share(Console(Options(demo=1))))
    rows = [
        ("1 node, drawn", f"{empty:.1f}", ""),
        ("64 nodes, readings taken, nothing drawn", f"{undrawn:.1f}", ""),
        ("64 nodes, table drawn", f"{drawn:.1f}", f"{BUDGET['in all']:.0f}"),
        ("the table alone", f"{drawn - undrawn:.1f}", f"{BUDGET['table above idle']:.0f}"),
        ("ratio drawn / undrawn", f"{drawn / undrawn:.2f}", ""),
    ]
    show(f"{NODES} demo nodes at 1 Hz, {SECONDS:.0f} s", ("what", "% of a core", "budget"), rows)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
