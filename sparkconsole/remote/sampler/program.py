"""What runs on a node and says a line a second; the format is parse/machine/telemetry.py's.

Sent as text, behind gpu_program.py and kernel_program.py: Python 3.8 or newer, its standard library only.

It ends when its input or its output does. A driver that hangs holds up its own thread and never the line.
Arguments: `sampler`, seconds between lines, and the folder that stands for `/` (tests).
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from typing import Any

from sparkconsole.remote.sampler.gpu_program import Gpus, tried
from sparkconsole.remote.sampler.kernel_program import KernelLog

SLOW_S = 5.0
"""Seconds between looks at what moves slowly or costs a call into firmware: errors, heat, disk, devices."""
STILL_S = 20.0
"""Seconds between looks at what hardly ever moves: PCIe links, and which counters a port has."""
HIDDEN = ("lo", "veth", "docker", "br-")
"""Interfaces of containers, and loopback, begin so."""
ERRORS = (
    "symbol_error", "link_downed", "link_error_recovery", "local_link_integrity_errors",
    "excessive_buffer_overrun_errors", "port_rcv_errors", "port_xmit_discards",
)  # fmt: skip
MARKS = (
    "np_cnp_sent", "rp_cnp_handled", "np_ecn_marked_roce_packets", "out_of_sequence", "packet_seq_err",
    "implied_nak_seq_err", "local_ack_timeout_err", "rnr_nak_retry_err", "out_of_buffer", "rx_discards",
    "rx_icrc_encapsulated", "roce_slow_restart",
)  # fmt: skip
"""Congestion and loss, as mlx5 counts them under hw_counters; a driver has some of them."""
LARGEST = 1 << 63
"""A counter that is not supported reads as minus one, unsigned."""
PRESSURES = (("cpu", "some"), ("memory", "some"), ("memory", "full"), ("io", "some"), ("io", "full"))
WORD = 4
"""Bytes: RDMA ports count data in words of four."""


def read(path: str) -> str:
    """A file of the kernel's, opened anew: there may be another device by now."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: os.read(fd, 65536), b"")).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)


def number(path: str) -> int:
    """The number in a small file."""
    return int(read(path))


def counter(path: str) -> int:
    """What was counted; ValueError for what no counter can be."""
    found = number(path)
    if not 0 <= found < LARGEST:
        raise ValueError(path)
    return found


class MachineSampler:
    """Everything but the GPU."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.rails: dict[str, str] = {}
        self.errors: dict[str, dict[str, int]] = {}
        self.marks: dict[str, dict[str, int]] = {}
        self.marked: dict[str, list[str]] = {}
        self.last: dict[str, list[Any]] = {}
        self.slow: dict[str, Any] = {}
        self.still: dict[str, Any] = {}
        self.slow_at = self.still_at = -STILL_S

    def reading(self) -> dict[str, Any]:
        """One line's worth."""
        now = time.monotonic()
        if now - self.slow_at >= SLOW_S:
            self.slow_at = now
            self.look_slowly()
        if now - self.still_at >= STILL_S:
            self.still_at = now
            self.look_rarely()
        rails = {name: self.rail(name, port) for name, port in self.rails.items()}
        memory, cached = tried(self.memory) or (None, None)
        return {
            "v": 1,
            "t": round(time.time(), 3),
            "m": round(now, 4),
            "uptime": tried(self.word, "uptime"),
            "cpu": tried(self.cpu),
            "mem": memory,
            "cached": cached,
            "load": tried(self.word, "loadavg"),
            "psi": tried(self.pressure, "memory", "some"),
            "psis": {f"{what} {how}": tried(self.pressure, what, how) for what, how in PRESSURES},
            "rails": rails,
            "counts": {n: {**self.errors.get(n, {}), **self.marks.get(n, {})} for n in rails},
            "nets": tried(self.nets),
            **self.slow,
            **self.still,
        }

    def proc(self, name: str) -> str:
        """What /proc says under that name."""
        return read(self.root + "/proc/" + name)

    def word(self, name: str) -> float:
        """The number that a file begins with."""
        return float(self.proc(name).split(None, 1)[0])

    def cpu(self) -> list[int]:
        """Busy and total ticks: user, nice, system, idle, iowait, irq, softirq, steal."""
        ticks = [int(t) for t in self.proc("stat").split("\n", 1)[0].split()[1:9]]
        return [sum(ticks) - ticks[3] - ticks[4], sum(ticks)]

    def memory(self) -> tuple[list[int], int | None]:
        """Total, available, swap, free swap; and the page cache, which shared memory is no part of."""
        rows = dict(line.split(":", 1) for line in self.proc("meminfo").splitlines() if ":" in line)
        wanted = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
        found = [tried(kilobytes, rows, name) for name in ("Cached", "Buffers", "Shmem")]
        known = [0 if f is None else f for f in found]
        cached = None if found[0] is None else max(0, known[0] + known[1] - known[2])
        return [kilobytes(rows, name) for name in wanted], cached

    def pressure(self, what: str, how: str) -> float:
        """`some avg10=0.00 avg60=…`, and a line `full avg10=…`"""
        line = self.proc("pressure/" + what).split(how + " avg10=", 1)[1]
        return float(line.split(None, 1)[0])

    def killed(self) -> int:
        """Processes that the kernel killed for want of memory since it started; anybody may read this."""
        return int(self.proc("vmstat").split("\noom_kill ", 1)[1].split(None, 1)[0])

    def nets(self) -> dict[str, list[Any]]:
        """What is received and not wanted is no error: networks are full of it."""
        found = {}
        for line in self.proc("net/dev").splitlines()[2:]:
            name, _, rest = line.partition(":")
            name = name.strip()
            if name and not name.startswith(HIDDEN):
                cells = [int(cell) for cell in rest.split()]
                found[name] = [self.link_up(name), cells[0], cells[8], cells[2] + cells[10] + cells[11]]
        return found

    def link_up(self, name: str) -> bool | None:
        """The link is up; None where the driver does not say."""
        state = tried(read, self.root + "/sys/class/net/" + name + "/operstate")
        return None if state in (None, "unknown") else state == "up"

    def rail(self, name: str, port: str) -> list[Any]:
        """Counters of a port without a link stand still, and every look at one is a call into firmware."""
        state = tried(read, port + "/state")
        up = state.startswith("4") if state else None
        if up or name not in self.last:
            counted = [tried(counter, port + "/counters/" + c) for c in DATA]
            self.last[name] = [None if c is None else c * WORD for c in counted]
            self.marks[name] = present(port + "/hw_counters/", self.marked.get(name, MARKS))
        wrong = self.errors.get(name)
        return [up, *self.last[name], sum(wrong.values()) if wrong else None]

    def look_slowly(self) -> None:
        """Devices, their errors, heat and disk."""
        self.rails = dict(tried(self.ports) or {})
        self.last = {name: last for name, last in self.last.items() if name in self.rails}
        self.errors = {name: present(port + "/counters/", ERRORS) for name, port in self.rails.items()}
        self.slow = {"temp": tried(self.heat), "disk": tried(self.disk), "oom": tried(self.killed)}

    def look_rarely(self) -> None:
        """How the devices sit on their bus, and what their ports count."""
        folders = {name: port + "/hw_counters" for name, port in self.rails.items()}
        self.marked = {n: [m for m in MARKS if os.path.exists(f + "/" + m)] for n, f in folders.items()}
        links = {name: tried(pcie, port + "/../../device") for name, port in self.rails.items()}
        self.still = {"pcie": {name: link for name, link in links.items() if link}}

    def ports(self) -> dict[str, str]:
        """The folder of every port by the name it is called here."""
        top = self.root + "/sys/class/infiniband"
        found = {}
        for device in sorted(os.listdir(top)):
            folder = top + "/" + device + "/ports"
            for port in sorted(tried(os.listdir, folder) or ()):
                found[device if port == "1" else device + "/" + port] = folder + "/" + port
        return found

    def heat(self) -> float | None:
        """°C of the hottest zone."""
        top = self.root + "/sys/class/thermal"
        zones = [z for z in os.listdir(top) if z.startswith("thermal_zone")]
        degrees = [tried(number, top + "/" + z + "/temp") for z in zones]
        known = [d / 1000.0 for d in degrees if d is not None]
        return max(known) if known else None

    def disk(self) -> int:
        """Bytes that anybody may still use."""
        found = os.statvfs(self.root + "/")
        return found.f_bavail * found.f_frsize


DATA = ("port_rcv_data", "port_xmit_data")


def kilobytes(rows: dict[str, str], name: str) -> int:
    """Bytes."""
    return int(rows[name].split()[0]) * 1024


def present(folder: str, names: Any) -> dict[str, int]:
    """The counters that there are."""
    counted = {name: tried(counter, folder + name) for name in names}
    return {name: count for name, count in counted.items() if count is not None}


def pcie(folder: str) -> list[float]:
    """GT/s and lanes now, and at most: what the card and the slot above it can both do."""
    own = os.path.realpath(folder)
    above = os.path.dirname(own)
    most = [lane(own, "max_" + what) for what in LINK]
    slot = [tried(lane, above, "max_" + what) for what in LINK]
    return [lane(own, "current_" + w) for w in LINK] + [min(m, s or m) for m, s in zip(most, slot)]  # noqa: B905


def lane(folder: str, what: str) -> float:
    """`32.0 GT/s PCIe`, `4`; ValueError for `Unknown`, and for a width of 255 or none at all."""
    found = float(read(folder + "/" + what).split()[0])
    if not 0 < found < 200:
        raise ValueError(what)
    return found


LINK = ("link_speed", "link_width")


def say(text: str) -> None:
    """All of it; OSError when nobody reads any more."""
    data = text.encode("utf-8", "replace")
    while data:
        data = data[os.write(1, data) :]


def ended(until: float) -> bool:
    """Waits; true when the other side is gone: our input is at its end."""
    while True:
        left = until - time.monotonic()
        if left <= 0:
            return False
        ready, _, _ = select.select([0], [], [], left)
        if ready and not os.read(0, 4096):
            return True


def main() -> None:
    """A line a period, until the other side is gone."""
    period, root = float(sys.argv[2]), (sys.argv[3:] or [""])[0]
    machine, gpus, kernel = MachineSampler(root), Gpus(period), KernelLog(root)
    gpus.start()
    kernel.start()
    due = time.monotonic()
    try:
        while True:
            line = {**machine.reading(), **gpus.reading(), "kernel": kernel.new_lines()}
            say(json.dumps(line, separators=(",", ":")) + "\n")
            # Lines that could not be said in time are not made up for.
            due = max(due + period, time.monotonic())
            if ended(due):
                break
    except OSError:
        pass
    kernel.end()
    # A driver that hangs would hold up an orderly end.
    os._exit(0)


if __name__ == "__main__":
    main()
