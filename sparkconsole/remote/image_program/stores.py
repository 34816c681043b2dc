"""An image as it lies on the sender's disk, in either store; nothing is changed, nothing is unpacked.

overlay2 (layout unchanged since Docker 1.10): a layer is rebuilt byte for byte from what the engine kept of
its tar (tar-split: headers inside, file bodies in the layer's folder). containerd: blobs lie as they came. A
wrong byte cannot pass: the receiver's engine computes every layer's digest.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

from sparkconsole.remote.image_program.protocol import Wrong

PLAIN_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
PLAIN_CONFIG = "application/vnd.docker.container.image.v1+json"
PLAIN_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
GATHERED = 1 << 18
LARGE = 1 << 16
"""A file from here on is worth a system call of its own."""


class Sink:
    """A socket or pipe; the first `skip` bytes of all that is written are left out."""

    def __init__(self, number: int, skip: int = 0) -> None:
        self.number, self.skip = number, skip
        self._kept: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        """These bytes, sooner or later."""
        if self.skip:
            left_out = min(self.skip, len(data))
            self.skip -= left_out
            data = data[left_out:]
        self._kept.append(data)
        self._size += len(data)
        if self._size >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """All that was written is on its way."""
        view = memoryview(b"".join(self._kept))
        self._kept, self._size = [], 0
        while view:
            view = view[os.write(self.number, view) :]

    def file(self, path: str, size: int) -> None:
        """Exactly so many bytes of the file; EOFError when it has fewer."""
        at = min(self.skip, size)
        self.skip -= at
        if at == size:
            return
        with open(path, "rb", buffering=0) as file:
            if size - at < LARGE:
                self.write(_all(os.pread(file.fileno(), size - at, at), size - at, path))
                return
            self.flush()
            while at < size:
                sent = os.sendfile(self.number, file.fileno(), at, min(size - at, 1 << 24))
                at += sent
                _all(b" " * min(sent, 1), 1, path)


def _all(data: bytes, size: int, path: str) -> bytes:
    if len(data) < size:
        raise EOFError("%s is shorter than the image says" % path)  # noqa: UP031 - as in all of the program
    return data


def digest_of(text: bytes) -> str:
    """As registries name it."""
    return "sha256:" + hashlib.sha256(text).hexdigest()


def chain_ids(diff_ids: list[str]) -> list[str]:
    """The engine's name of each layer on top of all those below it."""
    chain: list[str] = []
    for diff in diff_ids:
        chain.append(digest_of(f"{chain[-1]} {diff}".encode()) if chain else diff)
    return chain


class SplitLayer:
    """A layer of the overlay2 store."""

    media_type = PLAIN_LAYER

    def __init__(self, split: str, folder: str, digest: str) -> None:
        self.split, self.folder, self.digest = split, folder, digest
        self._size = -1

    def size(self) -> int:
        """Bytes of the layer's tar."""
        if self._size < 0:
            self._size = sum(_payload_size(p) if p["type"] == 2 else p.get("size", 0) for p in self._pieces())
        return self._size

    def write(self, sink: Sink) -> None:
        """The layer's tar, byte for byte as it was."""
        for piece in self._pieces():
            if piece["type"] == 2:
                sink.write(base64.b64decode(piece["payload"]))
            elif piece.get("size"):
                sink.file(os.path.join(self.folder, _name(piece).lstrip("/")), piece["size"])
        sink.flush()

    def _pieces(self) -> Iterator[dict[str, Any]]:
        """Bytes of the archive itself, and files by name and size, in order."""
        with gzip.open(self.split, "rb") as lines:
            for line in lines:
                yield json.loads(line)


def _payload_size(piece: dict[str, Any]) -> int:
    text: str = piece["payload"]
    return len(text) * 3 // 4 - text[-2:].count("=")


def _name(piece: dict[str, Any]) -> str:
    if piece.get("name") is not None:
        return str(piece["name"])
    return os.fsdecode(base64.b64decode(piece["name_raw"]))


class BlobLayer:
    """A layer of containerd's store, as it was pulled or built: packed or not."""

    def __init__(self, path: str, entry: dict[str, Any]) -> None:
        self.path, self.digest, self.media_type = path, entry["digest"], entry["mediaType"]

    def size(self) -> int:
        """Bytes of the blob."""
        return os.stat(self.path).st_size

    def write(self, sink: Sink) -> None:
        """The blob."""
        sink.file(self.path, self.size())
        sink.flush()


class SplitImage:
    """An image of the overlay2 store below `root`."""

    def __init__(self, root: str, image: str) -> None:
        database = os.path.join(root, "image", "overlay2")
        self.config = _checked(os.path.join(database, "imagedb", "content", "sha256", _hex(image)), image)
        diffs = json.loads(self.config)["rootfs"]["diff_ids"]
        self.layers = [_split_layer(root, database, *names) for names in zip(chain_ids(diffs), diffs)]  # noqa: B905

    def manifest(self) -> tuple[str, bytes]:
        """What a registry would say of it; every layer is measured for that."""
        layers = [{"mediaType": y.media_type, "size": y.size(), "digest": y.digest} for y in self.layers]
        size, digest = len(self.config), digest_of(self.config)
        config = {"mediaType": PLAIN_CONFIG, "size": size, "digest": digest}
        words = {"schemaVersion": 2, "mediaType": PLAIN_MANIFEST, "config": config, "layers": layers}
        return PLAIN_MANIFEST, json.dumps(words).encode()


def _split_layer(root: str, database: str, chain: str, diff: str) -> SplitLayer:
    entry = os.path.join(database, "layerdb", "sha256", _hex(chain))
    with open(os.path.join(entry, "cache-id"), encoding="ascii") as file:
        folder = os.path.join(root, "overlay2", file.read().strip(), "diff")
    return SplitLayer(os.path.join(entry, "tar-split.json.gz"), folder, diff)


class BlobImage:
    """An image of containerd's store: of several platforms only the one that is asked for.

    A layer may be missing in the store though containers of the image run (moby#49473), so each is looked
    for when it is asked for, and never promised.
    """

    def __init__(self, blobs: str, image: str, platform: str) -> None:
        self.blobs = blobs
        kind, self._manifest = self._of_platform(image, platform)
        manifest = json.loads(self._manifest)
        self._type = manifest.get("mediaType") or kind
        self.config = self._read(manifest["config"]["digest"])
        self.layers = [BlobLayer(os.path.join(blobs, _hex(t["digest"])), t) for t in manifest["layers"]]

    def manifest(self) -> tuple[str, bytes]:
        """As it was pulled or built."""
        return self._type, self._manifest

    def _read(self, digest: str) -> bytes:
        return _checked(os.path.join(self.blobs, _hex(digest)), digest)

    def _of_platform(self, digest: str, platform: str) -> tuple[str, bytes]:
        """The manifest of the platform, out of an index or right there."""
        text = self._read(digest)
        index = json.loads(text)
        if "manifests" not in index:
            return "application/vnd.oci.image.manifest.v1+json", text
        for one in index["manifests"]:
            where = one.get("platform") or {}
            # Without a variant, which engines fill in as they like.
            if [where.get("os"), where.get("architecture")] == platform.split("/")[:2]:
                return one["mediaType"], self._read(one["digest"])
        raise Wrong("the image has no part for " + platform)


def open_image(root: str, system: str, image: str, platform: str) -> SplitImage | BlobImage:
    """The image in whichever store has it; OSError or ValueError where it cannot be read.

    `root`: the engine's folder, `system`: containerd's own, which need not be there.
    """
    for folder in (os.path.join(root, "containerd", "daemon"), system):
        blobs = os.path.join(folder, "io.containerd.content.v1.content", "blobs", "sha256")
        if os.path.exists(os.path.join(blobs, _hex(image))):
            return BlobImage(blobs, image, platform)
    return SplitImage(root, image)


def _checked(path: str, digest: str) -> bytes:
    """A small file, checked against its name."""
    with open(path, "rb") as file:
        text = file.read()
    if digest_of(text) != "sha256:" + _hex(digest):
        raise ValueError(digest + " is damaged in the sender's image store")
    return text


def _hex(digest: str) -> str:
    return digest.rsplit(":", 1)[-1]
