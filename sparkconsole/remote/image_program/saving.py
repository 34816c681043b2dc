"""The way without a reader: `docker save`, filtered here, into `docker load` at the receiver.

The engine still reads the whole image, so only the wire and the receiver get less. Only archives that name
blobs by their content (Docker 25 and newer) can be told apart; of others all is sent.
"""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
import time
from typing import BinaryIO, cast

from sparkconsole.remote.image_program.engine import FULL
from sparkconsole.remote.image_program.protocol import CHUNK, EVERY_S, Wrong, last_line, say

LOST = 255


class Flow:
    """What goes to the receiver, counted."""

    def __init__(self, pipe: BinaryIO) -> None:
        self.pipe, self.sent, self.began, self.last = pipe, 0, time.monotonic(), 0.0

    def tell(self) -> int:
        """Where an archive that is written to it stands."""
        return self.sent

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
    with tempfile.TemporaryFile() as save_errors, tempfile.TemporaryFile() as load_output:
        source = subprocess.Popen(
            ["docker", "save", *names], stdout=subprocess.PIPE, stderr=save_errors, start_new_session=True
        )
        sink = subprocess.Popen(
            [*ssh, before + "docker load"],
            stdin=subprocess.PIPE,
            stdout=load_output,
            stderr=load_output,
            start_new_session=True,
        )
        flow = Flow(cast(BinaryIO, sink.stdin))
        try:
            filtered(cast(BinaryIO, source.stdout), cast(BinaryIO, flow), known)
            if source.wait():
                raise Wrong("docker save failed")  # what is not whole is never followed by a clean end
            flow.pipe.close()
            sink.wait()
        except Wrong as error:
            sink.kill()
            raise _cause(str(error), last_line(save_errors), sink.wait(), last_line(load_output)) from None
        finally:
            for end in (source, sink):
                end.kill()
                end.wait()
        if sink.returncode or "Error unpacking" in last_line(load_output):
            raise _cause("docker load failed", "", sink.returncode, last_line(load_output))
        return flow.sent


def _cause(what: str, save_error: str, ended: int, load_error: str) -> Wrong:
    why = save_error or load_error
    return Wrong(f"{what}: {why}" if why else what, final=ended == LOST or FULL in load_error)


def filtered(source: BinaryIO, sink: BinaryIO, known: set[str]) -> int:
    """Copies the archive but for the blobs of `known`; how many were left out. Wrong when it ends early."""
    dropped, kept = 0, tarfile.open(fileobj=sink, mode="w")  # noqa: SIM115 - one that is not whole gets no end
    try:
        with tarfile.open(fileobj=source, mode="r|", bufsize=CHUNK) as whole:
            for entry in whole:
                if entry.name in known:
                    dropped += 1
                else:
                    kept.addfile(entry, whole.extractfile(entry) if entry.isreg() else None)
    except (OSError, tarfile.TarError) as error:
        began = "empty file" not in str(error)
        raise Wrong(
            "docker save ended in the middle of the image" if began else "docker save failed"
        ) from None
    kept.close()
    while source.read(CHUNK):
        pass
    return dropped
