"""Twenty minutes of the demo with eight nodes, used all the while: memory stays, nothing breaks.

`python -m tests.bench.soak [MINUTES]`; ends with status 1 when memory grew or the console broke.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import time
from pathlib import Path

from sparkconsole.config.globals import Options
from sparkconsole.tui.app import Console
from sparkconsole.tui.dialogs.confirm import Confirm
from tests.bench.table import show

NODES, PAUSE_S = 8, 1.0
MOST_GROWTH = 1.10
"""Of the resident memory after the first quarter, when every view has been seen and every ring filled."""
LINES = ("image build", "image copy --to all", "launch", "serve tiny", "bench run --num-prompts 24",
         "node restart spark-02", "serve stop", "stop", "check", "status", "logs --tail 50")  # fmt: skip
FAULTS = (
    "demo fault spark-03 lost",
    "demo clear spark-03",
    "demo fault spark-04 link-down",
    "demo clear spark-04",
)


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def soak(minutes: float) -> list[tuple[float, float]]:
    """Minute and resident megabytes, a pair per half minute."""
    app = Console(Options(demo=NODES))
    measured: list[tuple[float, float]] = []
    async with app.run_test(size=(160, 48), notifications=True) as pilot:
        await app.opened.wait()
        began, lines = time.monotonic(), itertools.cycle((*LINES, *FAULTS))
        for turn in itertools.count():
            minute = (time.monotonic() - began) / 60
            if minute >= minutes:
                break
            await pilot.press(str(1 + turn % 8))
            if turn % 10 == 0:
                await _say(app, pilot, next(lines))
            if turn % 30 == 0:
                gc.collect()
                measured.append((minute, resident_mb()))
            await asyncio.sleep(PAUSE_S)
        await pilot.press("escape")
    return measured


async def _say(app: Console, pilot: object, line: str) -> None:
    """Says a line as a person would: agrees where it asks, closes what it answers, however late."""
    if app.work is not None and len(app.work.running) > 3:
        return
    _close(app)
    app.command(line)
    await asyncio.sleep(PAUSE_S)
    if isinstance(app.screen, Confirm):
        app.screen.dismiss(True)
    _close(app)
    await asyncio.sleep(0)


def _close(app: Console) -> None:
    """Every sheet that is open; what still asks is not agreed to."""
    while app.screen is not app.view:
        if isinstance(app.screen, Confirm):
            app.screen.dismiss(False)
        else:
            app.pop_screen()


def main() -> None:
    """Prints what was measured."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    measured = asyncio.run(soak(minutes))
    rows = [(f"{minute:.1f}", f"{mb:.1f}") for minute, mb in measured]
    show(f"{minutes:.0f} minutes of {NODES} demo nodes", ("minute", "resident MB"), rows)
    settled = next(mb for minute, mb in measured if minute >= minutes / 4)
    grown = measured[-1][1] / settled
    sys.stdout.write(f"memory at the end / after the first quarter: {grown:.2f} (at most {MOST_GROWTH})\n")
    sys.exit(grown > MOST_GROWTH)


if __name__ == "__main__":
    main()
