"""A program in a real pseudo-terminal, and the screen that a person would see there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pyte

PATIENCE_S = 90.0
ESCAPE = "\x1b"


class Seen:
    """One program at 80x24, or another size; closed, it is gone."""

    def __init__(
        self, words: tuple[str, ...], env: Mapping[str, str], folder: Path, size: tuple[int, int] = (80, 24)
    ) -> None:
        columns, lines = size
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self.child: pexpect.spawn[bytes] = pexpect.spawn(
            words[0], list(words[1:]), env=dict(env), cwd=str(folder), dimensions=(lines, columns)
        )

    def __enter__(self) -> Seen:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(self._screen.display)

    def read(self) -> bool:
        """Takes what the program wrote; False once it has ended."""
        try:
            data = self.child.read_nonblocking(65536, 0.2)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        # What pyte does not know (a terminal's answers, kitty's keys) it would print.
        self._stream.feed(_known(data))
        return True

    def until(self, there: Callable[[str], bool] | str, what: str = "") -> str:
        """Reads until the screen has it; AssertionError with the screen when it does not come."""
        wanted = (lambda text: there in text) if isinstance(there, str) else there
        end = time.monotonic() + PATIENCE_S
        while not wanted(self.text):
            alive = self.read()
            assert alive or wanted(self.text), (
                f"ended before {what or there}:\n{self.text}\n{self.raw[-3000:]!r}"
            )
            assert time.monotonic() < end, f"not seen: {what or there}\n{self.text}"
        return self.text

    def press(self, keys: str) -> None:
        """Types keys, as a keyboard sends them."""
        self.child.send(keys)

    def ended(self) -> int | None:
        """Reads to the end; the exit code."""
        while self.read():
            pass
        self.child.wait()
        return self.child.exitstatus


def _known(data: bytes) -> bytes:
    """Without the private sequences `CSI > …`, `CSI = …`, `CSI < …`: questions and modes, no text."""
    return re.sub(rb"\x1b\[[>=<][0-9;]*[A-Za-z]|\x1b\[\?[0-9;]*\$p", b"", data)
