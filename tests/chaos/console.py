"""A console that was started, and the second in which it printed each of its lines."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from tests.chaos.record import Ending, Line, waits_long
from tests.testbed.waiting import until

PLAIN = """import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])"""
"""nohup and a shell's & hand ignored signals down; a person's terminal does not."""
_GRACE_S = 20.0


class Console:
    """One process; both of its streams are read in one, as a terminal shows them."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self._began = time.monotonic()
        self._lines: list[Line] = []
        self._over_at = 0.0
        self._process = subprocess.Popen(
            (sys.executable, "-ISc", PLAIN, *argv), env=dict(environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True,
            errors="replace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    @property
    def ended(self) -> bool:
        """It is over."""
        return self._process.poll() is not None

    @property
    def spoke(self) -> bool:
        """It has printed a line."""
        return bool(self._lines)

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal, unless it has ended."""
        self._process.send_signal(number)

    def hang_up(self) -> None:
        """What it is told when its terminal is closed; it has none here."""
        self.signal(signal.SIGHUP)

    def ending(self, limit_s: float) -> Ending:
        """Waits for its end; past the limit, or when it has waited long, it is ended, and what it says then

        is not its own.
        """
        with contextlib.suppress(TimeoutError):
            until(lambda: self.ended or waits_long(self._lines), "an end", limit_s)
        if not self.ended:
            took, lines = self.age_s, tuple(self._lines)
            self.end()
            return Ending(self._process.returncode, took, lines, in_time=False)
        self._reader.join(_GRACE_S)
        return Ending(self._process.returncode, self._over_at or self.age_s, tuple(self._lines))

    def end(self) -> None:
        """Whatever it does, it is over afterwards."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.signal(signal.SIGINT)
            self._process.wait(_GRACE_S)
        self._process.kill()
        self._process.wait(_GRACE_S)

    def _read(self) -> None:
        output = self._process.stdout
        assert output is not None
        with output:
            for text in output:
                self._lines.append(Line(round(self.age_s, 2), text.rstrip("\n")))
        self._over_at = round(self.age_s, 2)
