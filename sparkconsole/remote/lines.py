"""Bytes in, whole lines out; shared by every shell, so that a line is the same everywhere."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator

from sparkconsole.remote.shell import Pipe

_LINE_END = re.compile(r"\r\n|\n|\r")
LONGEST_LINE = 1 << 20
"""Characters; a longer line is cut there, so that no machine can fill our memory."""


class LineReader:
    """UTF-8 with replacement; a carriage return ends a line too (progress bars); empty lines are dropped."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """The lines that `chunk` completed; with `final` also the unfinished last one."""
        *lines, self._rest = _LINE_END.split(self._rest + self._decode(chunk, final))
        if final or len(self._rest) > LONGEST_LINE:
            lines, self._rest = [*lines, self._rest], ""
        return [line for line in lines if line]


async def lines_of(pipe: Pipe) -> AsyncIterator[str]:
    """The lines that a command prints, as they come; how it ended, `pipe.wait` says."""
    reader = LineReader()
    while chunk := await pipe.read():
        for line in reader.feed(chunk):
            yield line
    await pipe.wait()  # a lost connection is said here: what it tore is no line
    for line in reader.feed(b"", final=True):
        yield line
