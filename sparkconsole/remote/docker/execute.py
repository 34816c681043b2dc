"""A command in a container, its two outputs kept apart and its status kept, over one pipe."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.remote.ending import NAME, end_of_all
from sparkconsole.remote.shell import Pipe, Shell

_LONGEST_HEADER = 8
# Frames on standard output: "1 LENGTH\n" or "2 LENGTH\n", then that many bytes. Standard input is inherited.
_RELAY = """
import os, subprocess, sys, threading
run = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
lock = threading.Lock()
def relay(kind, pipe):
    while data := os.read(pipe.fileno(), 65536):
        with lock:
            sys.stdout.buffer.write(b"%d %d\\n" % (kind, len(data)) + data)
            sys.stdout.buffer.flush()
threads = [threading.Thread(target=relay, args=a) for a in ((1, run.stdout), (2, run.stderr))]
for t in threads: t.start()
for t in threads: t.join()
code = run.wait()
os._exit(code if code >= 0 else 128 - code)
"""
_END = end_of_all(kill_after_s=5, most_s=8) + "m=$1 p=-; end\n"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one of the two outputs."""

    stream: Literal["stdout", "stderr"]
    data: bytes


def exec_argv(container: str, argv: Sequence[str], *, mark: str = "", stdin: bool = False) -> tuple[str, ...]:
    """The `docker exec` of a command whose words arrive byte for byte."""
    flags = (*(("-i",) if stdin else ()), *(("-e", f"{NAME}={mark}") if mark else ()))
    return ("docker", "exec", *flags, container, *argv)


async def start_exec(
    shell: Shell, container: str, argv: Sequence[str], *, mark: str, stdin: bool = False
) -> Pipe:
    """Starts the command; `pieces` reads it, the pipe's own `wait` has its status."""
    return await shell.pipe(("python3", "-c", _RELAY, *exec_argv(container, argv, mark=mark, stdin=stdin)))


async def pieces(pipe: Pipe) -> AsyncIterator[Piece]:
    """What the command printed, as it comes, until both its outputs are closed; SparkError for no frames."""
    rest = b""
    while chunk := await pipe.read():
        rest += chunk
        while (frame := _frame(rest)) is not None:
            piece, rest = frame
            yield piece


def _frame(data: bytes) -> tuple[Piece, bytes] | None:
    """The first whole frame of `data` and what follows it; None while it is not complete."""
    header, newline, body = data.partition(b"\n")
    if not newline and len(header) < _LONGEST_HEADER:
        return None
    found = re.fullmatch(rb"([12]) (\d{1,5})", header)
    if found is None:
        raise SparkError(f"what was started there says something else: {header[:60]!r}", hint="try again")
    kind, size = found[1], int(found[2])
    if len(body) < size:
        return None
    return Piece("stdout" if kind == b"1" else "stderr", body[:size]), body[size:]


async def status_of(pipe: Pipe, node: str) -> int:
    """The command's own exit status; Unreachable when the connection went first."""
    done = await pipe.wait()
    if done.status is None:
        raise Unreachable("the connection was lost: whether the command ended is unknown", node=node)
    return done.status


async def end_exec(shell: Shell, container: str, mark: str) -> None:
    """Ends every process of that exec inside the container: closing a pipe ends only docker's client.

    SparkError where something of it was not seen to end.
    """
    ended = await shell.run(("docker", "exec", container, "sh", "-c", _END, "end", mark), timeout=15)
    if not any(text in ended.error_text for text in ("No such container", "is not running")):
        ended.checked()
