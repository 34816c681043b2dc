"""A registry of images made of text, for engines on the same machine; run it where they are.

`registry.py FOLDER PORT`: the image NAME:TAG has the file FOLDER/NAME/TAG in its one layer. What was made
once can still be had by its digest when the file has changed; TAG.next, if it is there, takes the place of
TAG as soon as somebody has asked for that.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import sys
import tarfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 2 else Path()
BLOBS: dict[str, tuple[str, bytes]] = {}
"""Kind and content by digest."""
DOCKER = "application/vnd.docker"
UNKNOWN = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}'


def kept(kind: str, data: bytes) -> dict[str, Any]:
    """A blob that can be asked for from now on, as a manifest names it."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    BLOBS[digest] = kind, data
    return {"mediaType": kind, "size": len(data), "digest": digest}


def image(text: bytes) -> str:
    """The digest of an image that has that text."""
    packed, entry = io.BytesIO(), tarfile.TarInfo("text")
    entry.size = len(text)
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(text))
    layer = kept(f"{DOCKER}.image.rootfs.diff.tar", packed.getvalue())
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = {"architecture": machine, "os": "linux", "config": {}, "rootfs": rootfs}
    told = kept(f"{DOCKER}.container.image.v1+json", json.dumps(config).encode())
    kind = f"{DOCKER}.distribution.manifest.v2+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": told, "layers": [layer]}
    digest: str = kept(kind, json.dumps(manifest).encode())["digest"]
    return digest


def tagged(file: Path) -> str:
    """The digest that a tag means; empty: there is none."""
    if not file.is_file():
        return ""
    digest, following = image(file.read_bytes()), file.with_name(f"{file.name}.next")
    if following.is_file():
        following.rename(file)
    return digest


class Registry(BaseHTTPRequestHandler):
    """Docker's registry API, as far as pulls need it."""

    protocol_version = default_request_version = "HTTP/1.1"
    """Also to what begins with TLS, so that an engine sees what this is."""

    def do_GET(self) -> None:
        """A manifest, a blob, or that this is a registry."""
        _, _, rest = self.path.partition("/v2/")
        name, of, reference = rest.rpartition("/manifests/" if "/manifests/" in rest else "/blobs/")
        digest = reference if ":" in reference else tagged(FOLDER / name / reference)
        kind, content = BLOBS.get(digest, ("application/json", b"{}" if not of else UNKNOWN))
        self.send_response(200 if digest in BLOBS or not of else 404)
        for header, value in (("Type", kind), ("Length", str(len(content)))):
            self.send_header(f"Content-{header}", value)
        self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def do_HEAD(self) -> None:
        """The same without what it is."""
        self.do_GET()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Registry).serve_forever()
