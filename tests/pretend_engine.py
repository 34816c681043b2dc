"""A Docker engine with graph drivers, as far as a copy talks to it: a layer is known by all that lies below.

Real engines are asked in tests/real; this one lets a copy fail at a chosen moment.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()


class PretendEngine:
    """Images by id, names, and the layers that are there."""

    def __init__(self) -> None:
        self.images: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.received: list[list[str]] = []
        """The blobs of each archive, in order."""
        self.loads: list[threading.Event] = []
        self.fail_after = 10**9
        """So many archives are taken, the next one meets a full disk."""

    def chains(self) -> set[tuple[str, ...]]:
        """All prefixes of all images."""
        return {
            tuple(layers[: i + 1])
            for image in self.images.values()
            for layers in (image["rootfs"]["diff_ids"],)
            for i in range(len(layers))
        }

    def load(self, archive: bytes) -> dict[str, Any]:
        """As moby's tarexport: layers that are known are not looked for in the archive."""
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            blobs = {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar.getmembers()}
        if len(self.received) >= self.fail_after:
            return {"errorDetail": {"message": "write /var/lib/docker/tmp/x: no space left on device"}}
        (told,) = json.loads(blobs["manifest.json"])
        self.received.append([name for name in blobs if name in told["Layers"]])
        config = json.loads(blobs[told["Config"]])
        known, below = self.chains(), ()  # type: set[tuple[str, ...]], tuple[str, ...]
        for diff, name in zip(config["rootfs"]["diff_ids"], told["Layers"], strict=True):
            below = (*below, diff)
            if below in known:
                continue
            if name not in blobs:
                return {"errorDetail": {"message": f"open {name}: no such file or directory"}}
            if digest(blobs[name]) != diff:
                return {"errorDetail": {"message": f"invalid diffID for layer {len(below) - 1}"}}
        self.images[digest(blobs[told["Config"]])] = config
        self.names.update({name: digest(blobs[told["Config"]]) for name in told["RepoTags"] or ()})
        return {"stream": "Loaded image\n"}

    def inspect(self, name: str) -> dict[str, Any] | None:
        """As `docker image inspect`."""
        image = self.images.get(self.names.get(name, name))
        return image and {
            "Id": self.names.get(name, name),
            "Os": image["os"],
            "Architecture": image["architecture"],
            "RootFS": {"Layers": image["rootfs"]["diff_ids"]},
        }

    def nameless(self) -> list[str]:
        """Images that only an id leads to."""
        return sorted(set(self.images) - set(self.names.values()))


class Api(BaseHTTPRequestHandler):
    """Its socket."""

    protocol_version = "HTTP/1.1"
    engine: PretendEngine

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def address_string(self) -> str:
        return "client"

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if place.path == "/images/json":
            wanted = json.loads(parse_qs(place.query).get("filters", ["{}"])[0]).get("label", [])
            has = [i for i, image in self.engine.images.items() if _labelled(image, wanted)]
            self._tell(200, [{"Id": i} for i in has])
            return
        found = self.engine.inspect(unquote(place.path.split("/")[2]))
        self._tell(200 if found else 404, found or {"message": "No such image"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) < int(self.headers["Content-Length"]):
            self.close_connection = True
            return
        self._tell(200, self.engine.load(body))

    def do_DELETE(self) -> None:
        found = self.engine.images.pop(unquote(urlsplit(self.path).path.split("/")[2]), None)
        self._tell(200 if found else 404, [] if found else {"message": "No such image"})

    def _tell(self, status: int, words: Any) -> None:
        text = json.dumps(words).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def _labelled(image: dict[str, Any], wanted: list[str]) -> bool:
    labels = image.get("config", {}).get("Labels") or {}
    return (
        all(f"{key}={value}" in wanted for key, value in labels.items()) if wanted and labels else not wanted
    )


class _Door(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextlib.contextmanager
def listening(engine: PretendEngine, path: Path) -> Iterator[str]:
    """The engine at a socket."""
    api = type("Bound", (Api,), {"engine": engine})
    with _Door(str(path), api) as door:
        threading.Thread(target=door.serve_forever, args=(0.02,), daemon=True).start()
        yield str(path)
        door.shutdown()
