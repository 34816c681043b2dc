"""What watching one node costs that node: our sampler beside a `docker ps` and an `nvidia-smi` a second, each
over a login of its own, as a shell loop would do it. On a real node of the testbed; needs root and Docker."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sparkconsole.remote.sampler.sampler import argv, program
from tests.bench.table import show
from tests.testbed.fixtures import missing
from tests.testbed.inside import CLEAN
from tests.testbed.places import Places
from tests.testbed.testbed import Testbed

SECONDS = float(os.environ.get("SPARKCONSOLE_BENCH_SECONDS", "60"))
BUDGET_SHARE, BUDGET_STARTS = 1.0, 5.0
TICK = os.sysconf("SC_CLK_TCK")
Way = Callable[[threading.Event], None]


def _cpu(root: int) -> float:
    """Seconds of all that lives below the node's PID 1, and of what these waited for: what ended is in it."""
    return sum(_times(pid) for pid in _tree(root))


def _tree(root: int) -> Iterator[int]:
    """Of one snapshot of /proc."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parent = int(_fields(int(folder.name))[1])
            children.setdefault(parent, []).append(int(folder.name))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def _fields(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _times(pid: int) -> float:
    try:
        return sum(map(int, _fields(pid)[11:15])) / TICK
    except (OSError, IndexError):
        return 0.0


def _started(bed: Testbed) -> int:
    """Processes and threads that the node has started: its own numbers are given out in order."""
    return int(bed.read(1, "/proc/sys/kernel/ns_last_pid"))


@dataclass(frozen=True)
class Cost:
    """Percent of a core, and process starts a second."""

    share: float
    starts: float

    def above(self, idle: Cost) -> Cost:
        """What the node does by itself is taken off."""
        return Cost(self.share - idle.share, self.starts - idle.starts)


def _measured(bed: Testbed, way: Way) -> Cost:
    """CPU and starts of a way over SECONDS."""
    root, stop = bed.pid(1), threading.Event()
    assert root is not None
    starts, cpu, began = _started(bed), _cpu(root), time.monotonic()
    thread = threading.Thread(target=way, args=(stop,))
    thread.start()
    time.sleep(SECONDS)
    used, lasted, made = _cpu(root) - cpu, time.monotonic() - began, _started(bed) - starts
    stop.set()
    thread.join(30)
    return Cost(100 * used / lasted, made / lasted)


def _nothing(stop: threading.Event) -> None:
    """What the node costs by itself."""
    stop.wait(SECONDS + 30)


def _sampler(bed: Testbed, stop: threading.Event) -> None:
    """One login, one process, a line a second."""
    words = bed.ssh_argv(1, *argv(1.0))
    with subprocess.Popen(words, env=CLEAN, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin
        assert running.stdout
        running.stdin.write(program())
        running.stdin.flush()
        reader = threading.Thread(target=running.stdout.read)
        reader.start()
        stop.wait(SECONDS + 30)
        running.stdin.close()
        reader.join(10)


def _polled(bed: Testbed, stop: threading.Event, *tools: str) -> None:
    """A login for each tool, every second."""
    due, until = time.monotonic(), time.monotonic() + SECONDS + 30
    while not stop.is_set() and time.monotonic() < until:
        for tool in tools:
            bed.ssh(1, *tool.split(), timeout=30)
        due = max(due + 1.0, time.monotonic())
        stop.wait(max(0.0, due - time.monotonic()))


def _rows(bed: Testbed) -> list[tuple[str, str, str]]:
    smi = "nvidia-smi" if not bed.ssh(1, "nvidia-smi").returncode else "true"
    idle = _measured(bed, _nothing)
    mine = _measured(bed, partial(_sampler, bed)).above(idle)
    theirs = _measured(bed, lambda stop: _polled(bed, stop, "docker ps", smi)).above(idle)
    return [
        ("the node by itself", f"{idle.share:.2f}", f"{idle.starts:.1f}"),
        ("our sampler, 1 Hz", f"{mine.share:.2f}", f"{mine.starts:.1f}"),
        (f"docker ps + {smi} by fresh logins, 1 Hz", f"{theirs.share:.2f}", f"{theirs.starts:.1f}"),
        ("times as much", _ratio(theirs.share, mine.share), _ratio(theirs.starts, mine.starts)),
        ("budget of ours", f"{BUDGET_SHARE:.0f}", f"{BUDGET_STARTS:.0f}"),
    ]


def _ratio(theirs: float, ours: float) -> str:
    return f"{theirs / ours:.0f}" if ours > 0 else "all"


def main() -> None:
    """Three ways one after the other; a node of its own that is away afterwards."""
    lacking = missing()
    if lacking:
        print(f"what the sampler costs a node is not measured here: it needs {', '.join(lacking)}")
        return
    bed = Testbed(Places(os.environ.get("TESTBED_PREFIX", "sparkcost")))
    bed.down()
    try:
        bed.up(1)
        show(
            f"one node, {SECONDS:.0f} s each, what the node itself costs taken off",
            ("what", "% of a core", "process starts/s"), _rows(bed),
        )  # fmt: skip
    finally:
        bed.down()
        bed.clean()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
