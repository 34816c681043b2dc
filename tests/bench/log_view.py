"""A log at 5,000 lines a second: our view beside Textual's RichLog, each in a process of its own.

`python -m tests.bench.log_view`. CPU of one core, memory, and how long a key waits for its handler.
"""

from __future__ import annotations

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.widgets import RichLog

from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.logs.line import LogLine, log_line
from sparkconsole.tui.views.logs.view import finding_in
from sparkconsole.tui.widgets.log_view import LogView
from tests.bench.table import show

PER_S, SECONDS, SLICE_S = 5000, 8.0, 0.05
LINE = "spark-01:{n}:402 [0] NCCL INFO Channel {n:02}/04 : 0[0] -> 1[0] [send] via NET/IB/{n} GDRDMA shared"


class Fed(App[None]):
    """Takes the same lines at the same pace; ten keys a second are answered with how long each waited."""

    BINDINGS = [("x", "pressed", "x")]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.fed, self._pressed_at = 0, 0.0

    def take(self, lines: list[str]) -> None:
        """One slice of the feed."""
        raise NotImplementedError

    def action_pressed(self) -> None:
        """The key arrived."""
        self.waits.append(time.monotonic() - self._pressed_at)

    async def feed(self, pilot: Any) -> None:
        """The whole feed; a slice that comes late is not made up for by waiting less."""
        began = time.monotonic()
        while (now := time.monotonic() - began) < SECONDS:
            due = int(now * PER_S)
            self.take([LINE.format(n=n) for n in range(self.fed, due)])
            self.fed = max(self.fed, due)
            if len(self.waits) < now / 0.1:
                self._pressed_at = time.monotonic()
                await pilot.press("x")
            await asyncio.sleep(SLICE_S)


class Ours(Fed):
    """The console's log view, with the work of making lines safe."""

    def __init__(self) -> None:
        super().__init__()
        self.ring: LineRing[LogLine] = LineRing(10_000)

    def compose(self) -> ComposeResult:
        lines = LogView(self.ring)
        lines.judge = finding_in  # as in the Logs view: what is drawn is judged
        yield lines

    def on_mount(self) -> None:
        self.set_interval(0.1, self.query_one(LogView).sample)

    def take(self, lines: list[str]) -> None:
        for line in lines:
            self.ring.append(log_line(line))


class Theirs(Fed):
    """Textual's RichLog, a line at a time, bounded to as many lines."""

    def compose(self) -> ComposeResult:
        yield RichLog(max_lines=10_000)

    def take(self, lines: list[str]) -> None:
        log = self.query_one(RichLog)
        for line in lines:
            log.write(line)


async def _measured(app: Fed) -> dict[str, float]:
    async with app.run_test(size=(120, 40)) as pilot:
        before, memory, began = _cpu(), _memory(), time.monotonic()
        await app.feed(pilot)
        wall = time.monotonic() - began
        return {
            "cpu": 100 * (_cpu() - before) / wall,
            "wall": wall,
            "memory": _memory() - memory,
            "lines_per_s": app.fed / wall,
            "p50": 1000 * statistics.median(app.waits),
            "p99": 1000 * sorted(app.waits)[int(0.99 * (len(app.waits) - 1))],
            "keys": len(app.waits),
        }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def _in_its_own_process(name: str) -> dict[str, float]:
    done = subprocess.run(
        (sys.executable, "-m", "tests.bench.log_view", name), capture_output=True, text=True, timeout=180,
        check=True,
    )  # fmt: skip
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    """Both ways, one table."""
    if len(sys.argv) > 1:
        app = {"ours": Ours, "theirs": Theirs}[sys.argv[1]]()
        sys.stdout.write(json.dumps(asyncio.run(_measured(app))) + "\n")
        return
    ours, theirs = _in_its_own_process("ours"), _in_its_own_process("theirs")
    names = {
        "cpu": "CPU, % of a core",
        "memory": "memory grown, MB",
        "p50": "key waits, ms, median",
        "p99": "key waits, ms, p99",
        "lines_per_s": "lines a second taken",
        "keys": "keys answered",
    }
    rows = [
        (label, f"{ours[k]:.1f}", f"{theirs[k]:.1f}", f"{theirs[k] / max(ours[k], 0.1):.1f}")
        for k, label in names.items()
    ]
    show(f"{PER_S} lines/s for {SECONDS:.0f} s, 120x40", ("what", "ours", "RichLog", "RichLog / ours"), rows)


if __name__ == "__main__":
    main()
