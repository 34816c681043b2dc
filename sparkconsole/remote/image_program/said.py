"""What every part of the program uses: lines of JSON, errors for people, and how a program gets there."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, BinaryIO

BOOT = "import sys;i=sys.stdin.buffer;n=int(i.readline());exec(compile(i.read(n),'image','exec'))"
"""Reads a program from standard input and leaves the rest of it to the program."""
FALL_BACK = 75
"""Exit status of a sender that could not do it this way."""
CHUNK = 1 << 20
BAR = threading.Lock()


class Wrong(Exception):
    """Something that a person is told. `final`: the whole image would end the same way."""

    def __init__(self, why: str, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def say(**words: Any) -> None:
    """A line of JSON; nobody may be there to read it any more."""
    with BAR:
        try:
            sys.stdout.write(json.dumps(words) + "\n")
            sys.stdout.flush()
        except OSError:
            # Else Python tries once more at its end, and says so.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def give(pipe: BinaryIO, program: bytes) -> None:
    """What BOOT waits for."""
    pipe.write(b"%d\n" % len(program) + program)
    pipe.flush()


def quoted(word: str) -> str:
    """For the far end's shell."""
    return "'" + word.replace("'", "'\\''") + "'"


def last_line(said: BinaryIO) -> str:
    """Of what a process that has ended said into a file."""
    said.seek(0)
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1][-1000:] if lines else ""


def program() -> bytes:
    """This program's own text, for its other ends."""
    whole: bytes = globals()["PROGRAM"]
    return whole
