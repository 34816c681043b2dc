"""The way without a reader: `docker save`, filtered here, into `docker load` at the receiver.

The engine still reads the whole image, so only the wire and the receiver get less.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from typing import BinaryIO, cast

from sparkconsole.remote.image_program.engine import FULL
from sparkconsole.remote.image_program.filtering import filtered
from sparkconsole.remote.image_program.said import Wrong, last_line, say
from sparkconsole.remote.image_program.telling import EVERY_S

LOST = 255


class Flow:
    """What goes to the receiver, counted."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe, self.sent, self.began, self.last = pipe, 0, time.monotonic(), 0.0

    def write(self, data: bytes) -> None:
        """Sends, and says so now and then."""
        try:
            self.pipe.write(data)
        except OSError:
            raise Wrong("the receiver stopped taking it") from None
        self.sent += len(data)
        if time.monotonic() - self.last > EVERY_S:
            self.last = time.monotonic()
            say(sent=self.sent, seconds=round(self.last - self.began, 2))


def save(names: list[str], ssh: list[str], known: set[str], before: str = "") -> int:
    """Bytes that were sent; Wrong when either end failed. `known`: names of blobs that stay here."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as heard:
        source = subprocess.Popen(
            ["docker", "save", *names], stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        sink = subprocess.Popen(
            [*ssh, before + "docker load"],
            stdin=subprocess.PIPE,
            stdout=heard,
            stderr=heard,
            start_new_session=True,
        )
        flow = Flow(cast(BinaryIO, sink.stdin))
        try:
            _pour(source, flow, known)
            flow.pipe.close()
            sink.wait()
        except Wrong as error:
            sink.kill()
            raise _cause(str(error), last_line(said), sink.wait(), last_line(heard)) from None
        finally:
            for end in (source, sink):
                end.kill()
                end.wait()
        if sink.returncode or "Error unpacking" in last_line(heard):
            raise _cause("docker load failed", "", sink.returncode, last_line(heard))
        return flow.sent


def _pour(source: subprocess.Popen[bytes], flow: Flow, known: set[str]) -> None:
    """An archive that is not whole is never followed by a clean end."""
    filtered(cast(BinaryIO, source.stdout), flow.write, known)
    if source.wait():
        raise Wrong("docker save failed")


def _cause(what: str, save_said: str, ended: int, load_said: str) -> Wrong:
    said = save_said or load_said
    return Wrong(f"{what}: {said}" if said else what, final=ended == LOST or FULL in load_said)
