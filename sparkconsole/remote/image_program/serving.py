"""In a container on the sender: the image's parts over HTTP, on a socket in the job's folder only.

For a `docker pull` it is a registry that can only be read; for a load it tells the layers by their place.
"""

from __future__ import annotations

import contextlib
import os
import re
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Union

from sparkconsole.remote.image_program.stores import (
    PLAIN_CONFIG,
    BlobImage,
    BlobLayer,
    Sink,
    SplitImage,
    SplitLayer,
    digest_of,
    open_image,
)

SOCKET = "layers"


class Text:
    """A small thing that can be fetched, as layers are."""

    def __init__(self, media_type: str, text: bytes) -> None:
        self.media_type, self.digest, self._text = media_type, digest_of(text), text

    def size(self) -> int:
        """Its bytes."""
        return len(self._text)

    def write(self, sink: Sink) -> None:
        """All of it."""
        sink.write(self._text)
        sink.flush()


Fetched = Union[Text, SplitLayer, BlobLayer]  # noqa: UP007 - read on Python 3.8


class Turns:
    """One layer at a time, the lowest of those that are asked for first.

    An engine asks for several at once. What it has whole it keeps when it is interrupted, what is on its way
    is lost (measured with Docker 26): so one is on its way, and the others wait with their heads sent.
    """

    def __init__(self) -> None:
        self._free, self._busy = threading.Condition(), False
        self._waiting: list[int] = []

    @contextlib.contextmanager
    def of(self, place: int) -> Iterator[None]:
        """Waits for its turn, and gives it on."""
        with self._free:
            self._waiting.append(place)
            self._free.wait_for(lambda: not self._busy and place == min(self._waiting))
            self._waiting.remove(place)
            self._busy = True
        try:
            yield
        finally:
            with self._free:
                self._busy = False
                self._free.notify_all()


class Shelf:
    """Which address has what."""

    def __init__(self, image: SplitImage | BlobImage) -> None:
        self.image = image
        self._measuring, self._turns = threading.Lock(), Turns()

    def find(self, path: str) -> Fetched | None:
        """`/config`, `/layers/3`, and a registry's `/v2/`, `…/manifests/REF`, `…/blobs/DIGEST`."""
        layers, config = self.image.layers, Text(PLAIN_CONFIG, self.image.config)
        place = re.fullmatch(r"/layers/(\d+)", path)
        if place:
            return layers[int(place[1])] if int(place[1]) < len(layers) else None
        if path.rstrip("/") == "/v2":
            return Text("application/json", b"{}")
        if re.fullmatch(r"/v2/.+/manifests/[^/]+", path):
            return self._manifest()
        digest = path.rpartition("/blobs/")[2]
        if path == "/config" or digest == config.digest:
            return config
        return next((layer for layer in layers if layer.digest == digest), None)

    def write(self, part: Fetched, sink: Sink) -> None:
        """All of it, when its turn has come."""
        if isinstance(part, Text):
            part.write(sink)
            return
        with self._turns.of([y.digest for y in self.image.layers].index(part.digest)):
            part.write(sink)

    def _manifest(self) -> Text:
        # Several questions ask for it, and measuring a large image's layers takes a second.
        with self._measuring:
            return Text(*self.image.manifest())


class Answers(BaseHTTPRequestHandler):
    """One connection. `default_request_version`: containerd greets in TLS first, and goes on without it only
    after an answer in HTTP/1.1."""

    protocol_version = default_request_version = "HTTP/1.1"
    shelf: Shelf

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """What goes well is not told."""

    def address_string(self) -> str:
        """A socket in a folder has no addresses."""
        return "receiver"

    def do_HEAD(self) -> None:
        """What it is and how large."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """All of it, or from where a `Range` begins."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        try:
            part = self.shelf.find(self.path.partition("?")[0])
            if part is None:
                self._head(404, 0)
                return
            size, begin = part.size(), _begin(self.headers.get("Range", ""))
            if begin > size:
                self._head(416, 0)
                return
            kinds = [("Content-Type", part.media_type), ("Docker-Content-Digest", part.digest)]
            ranged = [("Content-Range", f"bytes {begin}-{size - 1}/{size}")] if begin else []
            self._head(206 if begin else 200, size - begin, *kinds, *ranged)
            if body:
                self._send(part, begin)
        except OSError as error:
            self._give_up(error)

    def _head(self, status: int, size: int, *more: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Length", str(size)), ("Accept-Ranges", "bytes"), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def _send(self, part: Fetched, begin: int) -> None:
        try:
            self.shelf.write(part, Sink(self.connection.fileno(), begin))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except (EOFError, ValueError, KeyError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Progress to the sender, as the connection cannot say it; the receiver sees an end too early."""
        self.close_connection = True
        sys.stderr.write(f"{error}\n")


def _begin(asked: str) -> int:
    found = re.match(r"bytes=(\d+)-", asked)
    return int(found[1]) if found else 0


class Door(socketserver.ThreadingUnixStreamServer):
    """Listens in the job's folder."""

    daemon_threads = True


def serve(folder: str, root: str, system: str, image: str, platform: str) -> int:
    """Answers until standard input ends: the sender is gone then, however it ended."""
    Answers.shelf = Shelf(open_image(root, system, image, platform))
    path = os.path.join(folder, SOCKET)
    with Door(path + ".new", Answers) as door:
        # The folder is the user's alone; the process in it is root, and the user's ssh connects.
        os.chmod(path + ".new", 0o666)  # noqa: S103
        os.rename(path + ".new", path)
        threading.Thread(target=door.serve_forever, daemon=True).start()
        sys.stdin.buffer.read()
    return 0
