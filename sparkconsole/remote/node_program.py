"""How a program of ours comes to a node: its python3 reads it from standard input, nothing is installed."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

BOOT = (
    "import sys;i=sys.stdin.buffer;n=int(i.readline());"
    "exec(compile(i.read(n),'sampler','exec',dont_inherit=True),{'__name__':'__main__'})"
)
"""Reads the program: a line with its length in bytes, then the program itself."""
_FUTURE, _OURS = "from __future__ import annotations\n", "from sparkconsole."


def boot_argv(*words: str) -> tuple[str, ...]:
    """The command that reads a program and runs it with these words."""
    return ("python3", "-u", "-c", BOOT, *words)


@cache
def boot_input(room: str, *names: str) -> bytes:
    """What it reads: the length, and these files of the room as one program."""
    folder = files("sparkconsole.remote") / room
    lines = (line for name in names for line in (folder / name).read_text("utf-8").splitlines(True))
    text = (_FUTURE + "".join(line for line in lines if not line.startswith((_FUTURE, _OURS)))).encode()
    return b"%d\n%s" % (len(text), text)
