"""What the kernel says of engine deaths, on the node: by /dev/kmsg, else by one journalctl for its whole
life. Sent as text with sampler_program.py: Python 3.8 or newer, its standard library only.

Only new lines are told, and only those that may matter; a log that may not be read stays unknown.
"""

from __future__ import annotations

import collections
import os
import re
import signal
import threading
import time
from typing import Any

from sparkconsole.remote.sampler.gpu_program import TROUBLE, tried

MATTERS = re.compile(
    "NVRM|Xid|mlx5|AER|oom|Out of memory|CmpltTO|CMD_SYNC|blocked for more than|lockup|[Pp]anic|I/O error"
)
"""The console judges; this only keeps a chatty kernel off the line."""
MOST_LINES, MOST_TEXT = 20, 300
"""Lines kept between two looks, the newest; characters of one."""
FILE_PAUSE_S = 0.2
LOG_SILENT_S = 10.0
"""A journal that has not said one line by then may not be read."""


class KernelLog(threading.Thread):
    """`new_lines()` is what came since it was asked last; None while the log cannot be read."""

    def __init__(self, root: str) -> None:
        super().__init__(daemon=True)
        self.path, self.real = root + "/dev/kmsg", not root
        self.readable = False
        self.kept: collections.deque[str] = collections.deque(maxlen=MOST_LINES)
        self.child: Any = None

    def run(self) -> None:
        """For as long as the program runs."""
        if not tried(self.follow_ring) and self.real:
            tried(self.follow_journal)
        self.readable = False

    def new_lines(self) -> list[str] | None:
        """The lines since the last question."""
        found = []
        while self.kept:
            found.append(self.kept.popleft())
        return found if self.readable or found else None

    def keep(self, text: str) -> None:
        """What may matter."""
        if MATTERS.search(text):
            self.kept.append(text[:MOST_TEXT])

    def follow_ring(self) -> bool:
        """The kernel's own ring: a read waits for the next record. OSError when it may not be read."""
        fd, rest = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), ""
        os.lseek(fd, 0, os.SEEK_END)
        self.readable = True
        while True:
            try:
                data = os.read(fd, 8192)
            except BrokenPipeError:
                # Records were overwritten before they were read.
                continue
            except OSError:
                return True
            if not data:
                time.sleep(FILE_PAUSE_S)
            *lines, rest = (rest + data.decode("utf-8", "replace")).split("\n")
            for line in lines:
                self.take_record(line)

    def take_record(self, line: str) -> None:
        """`6,1234,98765,-;text`; what belongs to it stands below, indented. Programs write with 8 and up."""
        head, mark, text = line.partition(";")
        if mark and not line.startswith(" ") and int(head.split(",", 1)[0] or 8) < 8:
            self.keep(text)

    def follow_journal(self) -> None:
        """The journal's, where the ring is root's; the oldest line only proves that it may be read."""
        import subprocess

        words = ["journalctl", "-k", "-f", "-q", "-n", "1", "-o", "short-unix", "--no-pager"]
        self.child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            preexec_fn=dying_with_us(),  # noqa: PLW1509 - one system call, looked up before the fork
        )  # fmt: skip
        watch = threading.Timer(LOG_SILENT_S, self.give_up)
        watch.daemon = True
        watch.start()
        for line in self.child.stdout:
            if self.readable:
                self.keep(line.decode("utf-8", "replace").rstrip().partition("kernel: ")[2])
            self.readable = True

    def give_up(self) -> None:
        """Nothing came: a journal that may not be read is silent for ever."""
        if not self.readable:
            self.end()

    def end(self) -> None:
        """Leaves no child behind."""
        if self.child is not None:
            tried(self.child.kill)
            tried(self.child.wait)


def dying_with_us() -> Any:
    """A child gets the signal when this program ends, however it ends."""
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except TROUBLE:
        return None
    return lambda: prctl(1, signal.SIGKILL)
