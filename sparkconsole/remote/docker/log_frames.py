"""A container's log as the engine sends it becomes stamped lines, however its frames and bytes are cut."""

from __future__ import annotations

import re
import struct
from datetime import datetime

from sparkconsole.remote.lines import LineReader

_HEADER = struct.Struct(">BxxxL")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?(?: |$)")


class LogFrames:
    """Bytes in, (RFC 3339 time, line) out. `raw`: the container has a terminal, its log has no frames.

    What follows a carriage return has no time of its own and takes that of the line it redraws.
    """

    def __init__(self, *, raw: bool) -> None:
        self._raw, self._rest = raw, b""
        self._stream, self._left = 0, 0
        """Whose the frame under way is, and how many bytes of it are still to come."""
        self._readers: dict[int, LineReader] = {}
        self._stamps: dict[int, str] = {}

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The lines that `chunk` completed."""
        if self._raw:
            return self._lines(0, chunk)
        self._rest += chunk
        lines: list[tuple[str, str]] = []
        while (piece := self._piece()) is not None:
            lines += self._lines(self._stream, piece)
        return lines

    def end(self) -> list[tuple[str, str]]:
        """What was left without an end of line."""
        return [line for stream in self._readers for line in self._lines(stream, b"", final=True)]

    def _piece(self) -> bytes | None:
        """What has come of a frame; none of them is waited for, as its header may promise gigabytes."""
        if not self._left:
            if len(self._rest) < _HEADER.size:
                return None
            self._stream, self._left = _HEADER.unpack_from(self._rest)
            self._rest = self._rest[_HEADER.size :]
        if self._left and not self._rest:
            return None
        piece, self._rest = self._rest[: self._left], self._rest[self._left :]
        self._left -= len(piece)
        return piece

    def _lines(self, stream: int, data: bytes, *, final: bool = False) -> list[tuple[str, str]]:
        reader = self._readers.setdefault(stream, LineReader())
        return [self._stamped(stream, line) for line in reader.feed(data, final=final)]

    def _stamped(self, stream: int, line: str) -> tuple[str, str]:
        if found := _STAMP.match(line):
            self._stamps[stream] = found[0].rstrip()
            line = line[found.end() :]
        return self._stamps.get(stream, ""), line


def api_time(moment: str) -> str:
    """A time as the engine's API takes it: seconds since 1970, with nine decimals if it had any.

    The command line takes RFC 3339; the API silently takes it for something else.
    """
    found = _STAMP.match(moment)
    if not found:
        return moment
    zone = "+00:00" if found[3] in (None, "Z") else found[3]
    seconds = int(datetime.fromisoformat(f"{found[1]}{zone}").timestamp())
    return f"{seconds}.{found[2]:0<9}" if found[2] else str(seconds)
