"""`explain`: what a log of vLLM, NCCL, Ray, Docker or the kernel says went wrong. It asks no node."""

from __future__ import annotations

import asyncio
import gzip
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import WrongUsage
from sparkconsole.model.answer import Answer
from sparkconsole.model.diagnosis import Diagnosis, Kind, Weight, ranked
from sparkconsole.parse.explain import read
from sparkconsole.verbs.registry import verb
from sparkconsole.verbs.session import Here

LONGEST = 65_536
"""Characters of a line that are read at once; the rest of a longer one is another line."""
_GLYPHS = {Weight.ERROR: "✖", Weight.WARNING: "!", Weight.INFO: "·"}


@verb("explain")
async def explain(session: Here, *file: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> Answer:
    """Read logs and say what went wrong: the root cause, where, why, and what to do.

    Any log of vLLM, NCCL, Ray, Docker, the model hub or the kernel, of one node or of several.
    Exit code 0 when nothing is wrong, 1 when something is.

    Parameters
    ----------
    file
        Files, also packed ones (.gz), or - for standard input; NODE=FILE says whose log it is.
    """
    if not file:
        raise WrongUsage("no log to read", hint="sparkconsole explain FILE… or - for standard input")
    found = ranked([d for name in file for d in await asyncio.to_thread(_read, name, len(file) > 1)])
    return Answer(
        {"findings": [d.as_data() for d in found]},
        tuple(_told(found)),
        int(any(d.severity is Weight.ERROR for d in found)),
    )


def _read(name: str, several: bool) -> tuple[Diagnosis, ...]:
    """`several`: a file that nobody named a node for is told by its own name."""
    node, equals, path = name.partition("=")
    if not equals or "/" in node or Path(name).exists():
        node, path = "", name
    with _opened(path) as stream:
        return read(_lines(stream, path), node or (Path(path).stem if several else ""))


def _opened(path: str) -> IO[bytes]:
    if path == "-":
        return sys.stdin.buffer
    try:
        packed = Path(path).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}", hint="give the path of a log") from error
    return gzip.open(packed) if packed.peek(2)[:2] == b"\x1f\x8b" else packed  # type: ignore[return-value]


def _lines(stream: IO[bytes], path: str) -> Iterator[str]:
    """Text whatever its encoding; a file that is none is refused."""
    head = stream.read(4)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    rest = io.BufferedReader(_Joined(head, stream))
    try:
        text = io.TextIOWrapper(rest, encoding=encoding, errors="replace", newline="\n")
        while line := text.readline(LONGEST):
            if line.count("\0") > 8:
                raise WrongUsage(f"{path} is no text", hint="give a log: sparkconsole logs prints one")
            yield line
    except (OSError, EOFError) as error:
        raise WrongUsage(f"{path} cannot be read on: {error}", hint="is the packed file whole?") from error


class _Joined(io.RawIOBase):
    """What was read already, and the rest of the stream behind it."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._head or self._rest.read(len(buffer))
        count = min(len(piece), len(buffer))
        buffer[:count] = piece[:count]
        self._head = piece[count:]
        return count


def _told(found: tuple[Diagnosis, ...]) -> Iterator[str]:
    """The worst first, each with its line; what only follows is told in one sentence."""
    follows = [d for d in found if d.kind is Kind.CONSEQUENCE and d.severity is Weight.INFO]
    for one in (d for d in found if d not in follows):
        yield _paragraph(one)
    if follows:
        yield "What follows from it: " + "; ".join(dict.fromkeys(_where(d) + d.text for d in follows))
    if not found:
        yield "✔ nothing in it says that something is wrong"


def _paragraph(one: Diagnosis) -> str:
    times = f" ({one.count} times)" if one.count > 1 else ""
    lines = [f"{_GLYPHS[one.severity]} {_where(one)}{one.text}{times}", f"    why     {one.why}"]
    lines += [f"    do      {one.remedy}"] if one.remedy else []
    number = f" {one.number:<6}" if one.number else " " * 7
    lines += [f"    line{number} {one.line}"] if one.line else []
    return "\n".join(lines)


def _where(one: Diagnosis) -> str:
    place = [one.node] if one.node else []
    place += [f"rank {one.rank}"] if one.rank is not None else []
    return f"{', '.join(place)}: " if place else ""
