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
        self._rest: list[str] = []
        """The pieces of the unfinished line: put together once, however small they come."""
        self._length = 0

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        """The lines that `chunk` completed; with `final` also the unfinished last one."""
        first, *more = _LINE_END.split(self._decode(chunk, final))
        self._keep(first)
        lines = [self._taken(), *more[:-1]] if more else []
        if more:
            self._keep(more[-1])
        if final or self._length > LONGEST_LINE:
            lines.append(self._taken())
        return [line for line in lines if line]

    def _keep(self, piece: str) -> None:
        self._rest.append(piece)
        self._length += len(piece)

    def _taken(self) -> str:
        line, self._rest, self._length = "".join(self._rest), [], 0
        return line


async def lines_of(pipe: Pipe) -> AsyncIterator[str]:
    """The lines that a command prints, as they come; how it ended, `pipe.wait` says."""
    reader = LineReader()
    while chunk := await pipe.read():
        for line in reader.feed(chunk):
            yield line
    await pipe.wait()  # a lost connection is said here: what it tore is no line
    for line in reader.feed(b"", final=True):
        yield line
