"""The full-screen console in a terminal of tmux: a line is typed, its plan agreed to, the screen read."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chaos.console import Console
from tests.chaos.record import Ending, Line, waits_long
from tests.testbed.waiting import until

WIDTH, HEIGHT = 160, 48
OPENS_S, PLANS_S, LEAVES_S = 40.0, 60.0, 20.0
_NEWEST = re.compile(r"^[ ▌]*(\S) +\d\d:\d\d today ", re.M)
"""The sign of the newest run in the view of runs: the list begins with it."""
_CHOSEN = re.compile(r"^ *▌ *(\S) +\d\d:\d\d today ", re.M)
"""The same of the run under the cursor: it stays there when another console begins one."""
_WORD = re.compile(r"Type {2}(\S+) {2}to confirm")
CODES = {"✔": 0, "✖": 1, "?": 5, "–": 130}
"""The exit code that would say on the command line what that sign says."""
_UP = re.compile(r"(\d)/\d up")


class Screen:
    """One console in a terminal, with the view of runs in front once its line has been agreed to."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._at = ("tmux", "-S", str(folder / "tmux"), "-f", "/dev/null")
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        self._began, self._lines = time.monotonic(), dict[str, float]()
        self.spoke, self._code = False, 0
        env = {**environment, "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        keep = (";", "set-option", "-g", "remain-on-exit", "on")
        subprocess.run((*self._at, "new-session", "-d", *size, *argv, *keep), check=True, env=env, timeout=60)
        self._pid = int(self._terminal_says("#{pane_pid}"))

    def type(self, line: str) -> None:
        """Says a line, agrees to what is asked, and turns to the runs. TimeoutError: nothing came of it."""
        until(lambda: "/2 up" in self.read(), "the console is open", OPENS_S)
        self.keys(":")
        until(lambda: "esc" in self.read(), "the line is open", 10)
        self.keys("-l", line)
        self.keys("Enter")
        until(lambda: self._asked() or self._answered(), f"a plan of {line}", PLANS_S)
        if self._asked():
            self._agree()
        self.keys("8")
        self.spoke = True

    def keys(self, *keys: str) -> None:
        """In one burst."""
        subprocess.run((*self._at, "send-keys", *keys), check=True, timeout=20)

    def read(self) -> str:
        """The screen, whose new lines are kept with the second in which they came."""
        shown = subprocess.run(
            (*self._at, "capture-pane", "-p"), capture_output=True, text=True, check=False, timeout=20
        ).stdout
        for line in shown.splitlines():
            self._lines.setdefault(line.strip(" │┃╭╮╰╯─━"), round(self.age_s, 2))
        return shown

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._began

    @property
    def gone(self) -> bool:
        """The program has ended."""
        return not Path(f"/proc/{self._pid}").exists() or self._terminal_says("#{pane_dead}") == "1"

    @property
    def ended(self) -> bool:
        """The line that was typed has come to an end, or the console has."""
        return self.spoke and (self.gone or self._sign() in CODES)

    def signal(self, number: signal.Signals) -> None:
        """Sends the program a signal."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    def hang_up(self) -> None:
        """Its terminal is closed."""
        subprocess.run((*self._at, "kill-server"), check=True, timeout=20)

    def ending(self, limit_s: float) -> Ending:
        """Waits for the end of what was typed; its exit code is what the screen's word for it means."""
        with contextlib.suppress(TimeoutError):
            until(lambda: self.ended or waits_long(self._kept()), "an end", limit_s)
        in_time, took, sign = self.ended, self.age_s, self._sign()
        with contextlib.suppress(TimeoutError):
            until(lambda: not self.read(), "what it says of the end has been read", 1.5)
        code = self._exit_code() if self.gone else CODES.get(sign, 2)
        return Ending(code, took, self._kept(), in_time)

    def _kept(self) -> tuple[Line, ...]:
        return tuple(Line(at, text) for text, at in self._lines.items() if text)

    def counted_up(self) -> int | None:
        """How many nodes the top line says to be up; None where it says nothing."""
        found = _UP.search(self.read().partition("\n")[0])
        return int(found[1]) if found else None

    def leave(self) -> None:
        """As a person does, without being asked; TimeoutError where the console does not end."""
        if not self.gone:
            self.keys("C-q")
            until(lambda: self.gone, "the console ends", LEAVES_S)

    def end(self) -> None:
        """Whatever it does, it is over afterwards."""
        self.signal(signal.SIGKILL)
        subprocess.run((*self._at, "kill-server"), capture_output=True, check=False, timeout=20)

    def _exit_code(self) -> int:
        """A signal that ends it takes the screen with it: nobody reads what it says, as if it were killed."""
        status = self._terminal_says("#{pane_dead_status}")
        code = int(status) if status else 129
        return -signal.SIGKILL if code > 128 else code

    def _agree(self) -> None:
        """A costly plan wants a word typed; keys that come before a person could have read it do nothing."""
        if word := _WORD.search(self.read()):
            self.keys("-l", word[1])

        def goes() -> bool:
            self.keys("C-j")
            with contextlib.suppress(TimeoutError):
                until(lambda: not self._asked(), "the question goes", 1)
            return not self._asked()

        until(goes, "the question goes", 10)

    def _asked(self) -> bool:
        return "Cancel  esc" in self.read()

    def _answered(self) -> bool:
        """It needed no question, and is under way or answered."""
        shown = self.read()
        return "▶" in shown.partition("\n")[0] or "esc close" in shown

    def _sign(self) -> str:
        shown = self.read()
        found = _CHOSEN.search(shown) or _NEWEST.search(shown)
        return found[1] if found else ""

    def _terminal_says(self, what: str) -> str:
        done = subprocess.run(
            (*self._at, "display-message", "-p", what),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        return done.stdout.strip()


Face = Console | Screen
"""Where a verb is said."""
