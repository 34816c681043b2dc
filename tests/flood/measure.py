"""The console in a terminal and the command line beside it, measured from outside while a node floods."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import struct
import sys
import termios
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkconsole.fleet.journal.run_output import HEAD_BYTES, TAIL_BYTES
from tests.flood.cluster import ROOT, Flooded, flooded
from tests.flood.ways import BAD, NAMES, Way

MOST_MB, MOST_CPU, MOST_AGE_S, SENTENCE_S = 300.0, 60.0, 5.0, 15.0
"""What one node may cost: memory and CPU of the console, age of the others' readings, time to a sentence."""
MOST_KEPT_MB = (HEAD_BYTES + 2 * TAIL_BYTES) / 1e6 * 1.1
"""Of one run in the journal, with what stands around each line."""
OPEN_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Figures:
    """What was measured of one way."""

    memory_mb: float = 0.0
    cpu: float = 0.0
    """Percent of one core."""
    age_s: float = 0.0
    """The oldest that a reading of a healthy node was."""
    events: list[str] = field(default_factory=list)
    """What the console said of the node that floods, and of its server."""
    line_s: float = 0.0
    """How long the command line took to its first sentence about the node."""
    line_mb: float = 0.0
    said: list[str] = field(default_factory=list)
    """What the command line said of the node."""
    kept_mb: float = 0.0
    """The largest file that the run left in the journal."""

    @property
    def broken(self) -> list[str]:
        """Which bounds were broken; CPU counts for the driver only."""
        mb = max(self.memory_mb, self.line_mb)
        found = {
            f"{mb:.0f} MB": mb > MOST_MB,
            f"{self.age_s:.1f} s old": self.age_s > MOST_AGE_S,
            f"a sentence after {self.line_s:.0f} s": self.line_s > SENTENCE_S or not self.said,
        }
        return [what for what, so in found.items() if so]


def peak_mb(pid: int) -> float:
    """The most resident memory that it has had; 0 once it is gone."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1e3
    return 0.0


def cpu_s(pid: int) -> float:
    """Seconds of CPU that it has used."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / _TICKS
    return 0.0


@dataclass
class Opened:
    """A console that runs in a terminal of its own."""

    pid: int
    terminal: int
    record: Path

    def moments(self) -> list[dict[str, Any]]:
        """What was written down so far."""
        text = self.record.read_text() if self.record.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())


@asynccontextmanager
async def opened(nodes: Flooded) -> AsyncIterator[Opened]:
    """Yours once all healthy nodes have a reading; ended hard: how it ends is another matter."""
    record = nodes.home / "record"
    terminal, inside = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    os.set_blocking(terminal, False)
    words = [sys.executable, "-m", "tests.flood.console", str(record)]
    how: dict[str, Any] = {"stdin": inside, "stdout": inside, "stderr": inside, "start_new_session": True}
    process = await asyncio.create_subprocess_exec(*words, env=dict(nodes.environment), cwd=ROOT, **how)
    os.close(inside)
    loop, console = asyncio.get_running_loop(), Opened(process.pid, terminal, record)

    def drained() -> None:
        try:
            os.read(terminal, 1 << 16)
        except OSError:
            loop.remove_reader(terminal)

    loop.add_reader(terminal, drained)
    try:
        async with asyncio.timeout(OPEN_S):
            while not _all_read(console.moments()):  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.2)
        yield console
    finally:
        loop.remove_reader(terminal)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        os.close(terminal)


def _all_read(moments: list[dict[str, Any]]) -> bool:
    ages = moments[-1]["ages"] if moments else {}
    return all(ages.get(name) is not None for name in NAMES if name != BAD)


async def command_line(nodes: Flooded, way: Way, figures: Figures) -> None:
    """Asks it, and takes down when it said its sentence about the node; two minutes at most."""
    began = time.monotonic()
    words = [sys.executable, "-m", "sparkconsole", *way.asked.split()]
    how: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    asked = await asyncio.create_subprocess_exec(*words, env=dict(nodes.environment), cwd=ROOT, **how)
    assert asked.stdout

    async def watched() -> None:
        while asked.returncode is None:
            figures.line_mb = max(figures.line_mb, peak_mb(asked.pid))
            await asyncio.sleep(0.05)

    watching, said = asyncio.create_task(watched()), b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(120):
            while piece := await asked.stdout.read(1 << 16):
                said = (said + piece)[-(1 << 20) :]
                if not figures.line_s and _sentences(said, way):
                    figures.line_s = time.monotonic() - began
    for end in (asked.terminate, asked.kill):
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            async with asyncio.timeout(10):
                await asked.wait()
                break
            end()
    figures.line_s = figures.line_s or time.monotonic() - began
    watching.cancel()
    figures.said = _sentences(said, way)


def _sentences(said: bytes, way: Way) -> list[str]:
    lines = said.decode("utf-8", "replace").splitlines()
    return [line for line in lines if BAD in line and way.says in line]


async def measured(folder: Path, way: Way, seconds: float, *, apis: bool = True) -> Figures:
    """One way: everything is started for it and ended after it; `apis`: Ray and vLLM answer too."""
    figures = Figures()
    async with flooded(folder, way, apis=apis) as nodes, opened(nodes) as console:
        asking = asyncio.create_task(command_line(nodes, way, figures))
        console.type(way.keys)
        began, before, seen = time.monotonic(), cpu_s(console.pid), len(console.moments())
        await asyncio.sleep(seconds)
        figures.cpu = 100 * (cpu_s(console.pid) - before) / (time.monotonic() - began)
        await asking
        moments = console.moments()
        figures.memory_mb = peak_mb(console.pid)
        figures.age_s = max(a or 0.0 for m in moments[seen:] for n, a in m["ages"].items() if n != BAD)
        last = moments[-1]
        events = [text for source, text in last["events"] if source in (BAD, "serve", "ray")]
        figures.events = [*events, *filter(None, last["unknown"][BAD]), " ".join(last["server"])]
        kept = nodes.home.rglob(".local/state/**/*")
        figures.kept_mb = max((f.stat().st_size / 1e6 for f in kept if f.is_file()), default=0.0)
    return figures
