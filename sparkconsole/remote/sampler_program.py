"""What runs on a node and says a line a second; the format is parse/telemetry.py's. Sent as text, behind
sampler_gpu.py: Python 3.8 or newer, its standard library only.

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

from sparkconsole.remote.sampler_gpu import Gpus, tried

SLOW_S = 5.0
"""Seconds between looks at what moves slowly or costs a call into firmware: errors, heat, disk, devices."""
HIDDEN = ("lo", "veth", "docker", "br-")
"""Interfaces of containers, and loopback, begin so."""
ERRORS = (
    "symbol_error",
    "link_downed",
    "link_error_recovery",
    "local_link_integrity_errors",
    "port_rcv_errors",
    "port_xmit_discards",
)
WORD = 4
"""Bytes: RDMA ports count data in words of four."""


def read(path: str) -> str:
    """A small file, opened anew: the kernel may have put another device there."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)


def number(path: str) -> int:
    """The number in a small file."""
    return int(read(path))


class Held:
    """A file of /proc that stays open: every reading of it is fresh."""

    def __init__(self, path: str) -> None:
        self.fd = tried(os.open, path, os.O_RDONLY | os.O_CLOEXEC)

    def text(self) -> str:
        """All of it; OSError when it cannot be read."""
        if self.fd is None:
            raise OSError("it is not there")
        os.lseek(self.fd, 0, os.SEEK_SET)
        chunks: list[bytes] = []
        while True:
            # The kernel hands out a page at a time.
            chunk = os.read(self.fd, 65536)
            if not chunk:
                return b"".join(chunks).decode("utf-8", "replace")
            chunks.append(chunk)


class Machine:
    """Everything but the GPU."""

    def __init__(self, root: str) -> None:
        self.root = root
        names = ("stat", "meminfo", "loadavg", "net/dev", "pressure/memory", "uptime")
        self.files = {name: Held(root + "/proc/" + name) for name in names}
        self.rails: dict[str, str] = {}
        self.errors: dict[str, int | None] = {}
        self.last: dict[str, list[Any]] = {}
        self.slow: dict[str, Any] = {}
        self.slow_at = -SLOW_S

    def said(self) -> dict[str, Any]:
        """One line's worth."""
        now = time.monotonic()
        if now - self.slow_at >= SLOW_S:
            self.slow_at = now
            self.look_slowly()
        return {
            "v": 1,
            "t": round(time.time(), 3),
            "m": round(now, 4),
            "uptime": tried(self.word, "uptime"),
            "cpu": tried(self.cpu),
            "mem": tried(self.memory),
            "load": tried(self.word, "loadavg"),
            "psi": tried(self.pressure),
            "rails": {name: self.rail(name, port) for name, port in self.rails.items()},
            "nets": tried(self.nets),
            **self.slow,
        }

    def word(self, name: str) -> float:
        """The number that a file begins with."""
        return float(self.files[name].text().split(None, 1)[0])

    def cpu(self) -> list[int]:
        """Busy and total ticks: user, nice, system, idle, iowait, irq, softirq, steal."""
        ticks = [int(t) for t in self.files["stat"].text().split("\n", 1)[0].split()[1:9]]
        return [sum(ticks) - ticks[3] - ticks[4], sum(ticks)]

    def memory(self) -> list[int]:
        """Total, available, swap, free swap."""
        rows = dict(line.split(":", 1) for line in self.files["meminfo"].text().splitlines() if ":" in line)
        wanted = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
        return [int(rows[name].split()[0]) * 1024 for name in wanted]

    def pressure(self) -> float:
        """`some avg10=0.00 avg60=…`"""
        return float(self.files["pressure/memory"].text().split("avg10=", 1)[1].split(None, 1)[0])

    def nets(self) -> dict[str, list[Any]]:
        """What is received and not wanted is no error: networks are full of it."""
        found = {}
        for line in self.files["net/dev"].text().splitlines()[2:]:
            name, _, rest = line.partition(":")
            name = name.strip()
            if name and not name.startswith(HIDDEN):
                cells = [int(cell) for cell in rest.split()]
                found[name] = [self.carries(name), cells[0], cells[8], cells[2] + cells[10] + cells[11]]
        return found

    def carries(self, name: str) -> bool | None:
        """The link is up; None where the driver does not say."""
        state = tried(read, self.root + "/sys/class/net/" + name + "/operstate")
        return None if state in (None, "unknown") else state == "up"

    def rail(self, name: str, port: str) -> list[Any]:
        """Counters of a port without a link stand still, and every look at one is a call into firmware."""
        state = tried(read, port + "/state")
        up = state.startswith("4") if state else None
        if up or name not in self.last:
            counters = [tried(number, port + "/counters/" + c) for c in DATA]
            self.last[name] = [None if c is None else c * WORD for c in counters]
        return [up, *self.last[name], self.errors.get(name)]

    def look_slowly(self) -> None:
        """Devices, their errors, heat and disk."""
        self.rails = dict(tried(self.ports) or {})
        self.last = {name: said for name, said in self.last.items() if name in self.rails}
        self.errors = {name: self.failures(port) for name, port in self.rails.items()}
        self.slow = {"temp": tried(self.heat), "disk": tried(self.disk)}

    def ports(self) -> dict[str, str]:
        """The folder of every port by the name it is called here."""
        top = self.root + "/sys/class/infiniband"
        found = {}
        for device in sorted(os.listdir(top)):
            folder = top + "/" + device + "/ports"
            for port in sorted(tried(os.listdir, folder) or ()):
                found[device if port == "1" else device + "/" + port] = folder + "/" + port
        return found

    def failures(self, port: str) -> int | None:
        """The error counters that there are, summed."""
        counted = [tried(number, port + "/counters/" + n) for n in ERRORS]
        known = [c for c in counted if c is not None]
        return sum(known) if known else None

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
    machine, gpus = Machine(root), Gpus(period)
    gpus.start()
    due = time.monotonic()
    try:
        while True:
            say(json.dumps({**machine.said(), **gpus.said()}, separators=(",", ":")) + "\n")
            # Lines that could not be said in time are not made up for.
            due = max(due + period, time.monotonic())
            if ended(due):
                break
    except OSError:
        pass
    # A driver that hangs would hold up an orderly end.
    os._exit(0)


if __name__ == "__main__":
    main()
