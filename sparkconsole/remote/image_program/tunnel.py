"""The image's parts at the receiver: over the sender's ssh, as if they lay on a port of this machine."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator

from sparkconsole.remote.image_program.protocol import CHUNK, Wrong

UNREAD_S = 60
"""A sender that reads for so long without a byte is gone."""
BROKEN = "the sender's image store could not be read to its end"


class Tunnel:
    """The parts, by their addresses."""

    def __init__(self, port: int) -> None:
        self.port = port

    def config(self) -> bytes:
        """The image's configuration."""
        with self._asked("GET", "/config") as answer:
            return answer.read()

    def manifest(self) -> list[tuple[str, int]]:
        """Digest and size of each layer, as the sender's registry tells them."""
        with self._asked("GET", "/v2/sparkconsole/copy/manifests/latest") as answer:
            manifest = json.loads(answer.read())
        return [(layer["digest"], layer["size"]) for layer in manifest["layers"]]

    def size(self, place: int) -> int:
        """Bytes of a layer as it will come."""
        with self._asked("HEAD", f"/layers/{place}") as answer:
            return int(answer.headers["Content-Length"])

    def layer(self, place: int) -> Iterator[memoryview]:
        """A layer's bytes; Wrong when they end before they should."""
        with self._asked("GET", f"/layers/{place}") as answer:
            kept, left = memoryview(bytearray(CHUNK)), int(answer.headers["Content-Length"])
            while left:
                count = self._read(answer, kept)
                yield kept[:count]
                left -= count

    def _read(self, answer: http.client.HTTPResponse, kept: memoryview) -> int:
        try:
            count = answer.readinto(kept)
        except (OSError, http.client.HTTPException):
            count = 0
        if not count:
            raise Wrong(BROKEN)
        return count

    @contextlib.contextmanager
    def _asked(self, method: str, path: str) -> Iterator[http.client.HTTPResponse]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=UNREAD_S)
        with contextlib.closing(link):
            try:
                link.request(method, path)
                answer = link.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise Wrong(BROKEN) from error
            if answer.status != 200:
                raise Wrong(f"the sender has no {path}")
            yield answer
