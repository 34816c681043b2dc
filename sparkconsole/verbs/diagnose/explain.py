"""`explain`: what a log of vLLM, NCCL, Ray, Docker or the kernel says went wrong. It asks no node."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import IO, Annotated, Any, cast

from cyclopts import Parameter

from sparkconsole.errors import WrongUsage
from sparkconsole.model.logs.diagnosis import Weight, paragraphs, ranked, verdict
from sparkconsole.model.work.answer import Answer
from sparkconsole.parse.diagnose.explain import LogFindings, examine
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here

LONGEST = 65_536
"""Characters of a line that are read at once; the rest of a longer one is another line."""
MOST_PIECES = 64
"""Of a line without an end so many pieces are looked at: four million characters have said it all."""
_PACKED = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"BZh": "bzip2"}
_WIDE = (
    (rb"\xff\xfe|\xfe\xff", "utf-16"),
    (rb"[^\x00]\x00[^\x00]\x00", "utf-16-le"),
    (rb"\x00[^\x00]\x00[^\x00]", "utf-16-be"),
)
"""How text of two bytes a character begins, with a mark or without."""


def _refuse_words(*file: str) -> None:
    """No file, one without a name, or standard input twice."""
    if not all(file) or not file:
        hint = "sparkconsole explain FILE… or - for standard input"
        raise WrongUsage("explain has no log to read", hint=hint)
    if sum(name.rpartition("=")[2] == "-" for name in file) > 1:
        raise WrongUsage("standard input is named twice", hint="it can be read once: say - once")


@verb("explain", refuses=_refuse_words)
async def explain(session: Here, *file: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> Answer:
    """Read logs and say what went wrong: the root cause, where, why, and what to do.

    Any log of vLLM, NCCL, Ray, Docker, a build, the model hub or the kernel, of one node or of several.
    Errors that are not known are shown as such. Exit code 1 when something is wrong, 0 otherwise.

    Parameters
    ----------
    file
        Files, also packed ones (.gz), or - for standard input; NODE=FILE says whose log it is.
    """
    logs = [await asyncio.to_thread(_read, name, len(file) > 1) for name in file]
    found = ranked([d.named(session.fleet.named) for log in logs for d in log.found])
    ends = tuple(log.ending for log in logs)
    findings, logs_data = [d.as_data() for d in found], [end.as_data() for end in ends]
    data = {"verdict": verdict(found, ends), "findings": findings, "logs": logs_data}
    wrong = any(d.severity is Weight.ERROR for d in found)
    return Answer(data, tuple(paragraphs(found, ends)), int(wrong))


def _read(name: str, several: bool) -> LogFindings:
    """`several`: a file that nobody named a node for is told by its own name."""
    node, equals, path = name.partition("=")
    if not equals or "/" in node or Path(name).exists():
        node, path = "", name
    with _opened(path) as stream, closing(_lines(stream, path)) as lines:
        return examine(lines, node or (Path(path).stem if several else ""))


def _opened(path: str) -> io.BufferedReader:
    if path == "-":
        if sys.stdin is None or sys.stdin.closed:
            raise WrongUsage("standard input is closed", hint="name a file, or pipe a log into it")
        _refuse_device(sys.stdin.buffer, "standard input")
        return _unpacked(sys.stdin.buffer)
    try:
        packed = Path(path).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}", hint="give the path of a log") from error
    _refuse_device(packed, path)
    return _unpacked(packed)


def _unpacked(stream: Any) -> io.BufferedReader:
    """gzip is read through; what is packed otherwise is refused."""
    head = stream.peek(6)[:6]
    for tool in (tool for mark, tool in _PACKED.items() if head.startswith(mark)):
        hint = f"unpack it first: {tool} -dc LOG | sparkconsole explain -"
        raise WrongUsage("the log is packed", hint=hint)
    return cast("io.BufferedReader", gzip.open(stream) if head[:2] == b"\x1f\x8b" else stream)


def _refuse_device(stream: IO[bytes], name: str) -> None:
    """A disk, or /dev/zero, which never ends; a terminal and /dev/null are read."""
    its = os.fstat(stream.fileno())
    device = stat.S_ISBLK(its.st_mode) or stat.S_ISCHR(its.st_mode)
    if device and not stream.isatty() and its.st_rdev != Path(os.devnull).stat().st_rdev:
        raise WrongUsage(f"{name} is a device", hint="give a log: sparkconsole logs prints one")


def _lines(stream: io.BufferedReader, path: str) -> Generator[str, None, None]:
    """Text whatever its encoding; a file that is none is refused."""
    head = stream.peek(4)[:4]
    encoding = next((name for shape, name in _WIDE if re.match(shape, head, re.DOTALL)), "utf-8-sig")
    text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="\n")
    try:
        pieces = 0
        while line := text.readline(LONGEST):
            pieces = 0 if line.endswith("\n") else pieces + 1
            if pieces > MOST_PIECES and "\r" not in line:
                continue
            if "\0" not in line:
                yield line
                continue
            clean = line.replace("\0", "")
            if _is_binary(clean):
                raise WrongUsage(f"{path} is no text", hint="give a log: sparkconsole logs prints one")
            yield clean
    except (OSError, EOFError, zlib.error) as error:
        # What was read is told: the thousand lines before the damage may hold the cause.
        yield f"WARNING sparkconsole: {path} cannot be read on from here: {error}\n"
    finally:
        text.detach()  # the stream is its opener's to close, standard input nobody's


def _is_binary(text: str) -> bool:
    """Most of it cannot be read. Holes of NULs, as a power cut leaves them in a log, do not count."""
    odd = sum(not (c.isprintable() or c in "\t\r\n\x1b") or c == "\ufffd" for c in text)
    return odd > 8 and odd > len(text) / 4
