"""Runs in a container on the sender: writes the image to standard output as `docker load` takes it, without
the first layers, which the receiver has. Reads the overlay2 store, changes nothing; needs Python 3.8 only.

A layer is rebuilt byte for byte from what the engine kept of its tar (tar-split: headers inside, file bodies
in the layer's folder). A wrong byte cannot pass: the receiver's engine computes every layer's digest.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

CHUNK_BYTES = 1 << 20
BLOCK_BYTES = 512
OCTAL_LIMIT = 8**11
"""Sizes from here on are written in base 256."""


def chain_ids(diff_ids: list[str]) -> list[str]:
    """The engine's name of each layer on top of all those below it."""
    chain: list[str] = []
    for diff in diff_ids:
        below = f"{chain[-1]} {diff}" if chain else ""
        chain.append(f"sha256:{hashlib.sha256(below.encode()).hexdigest()}" if below else diff)
    return chain


class Store:
    """The overlay2 store below `root` (layout unchanged since Docker 1.10)."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.database = os.path.join(root, "image", "overlay2")

    def config(self, image: str) -> bytes:
        """The image's configuration, checked against its name."""
        digest = image.rsplit(":", maxsplit=1)[-1]
        with open(os.path.join(self.database, "imagedb", "content", "sha256", digest), "rb") as file:
            text = file.read()
        if hashlib.sha256(text).hexdigest() != digest:
            raise ValueError(f"the configuration of {image} is damaged")
        return text

    def layer(self, chain: str) -> tuple[str, str]:
        """The layer's tar-split file and the folder of its files."""
        entry = os.path.join(self.database, "layerdb", "sha256", chain.rsplit(":", maxsplit=1)[-1])
        with open(os.path.join(entry, "cache-id"), encoding="ascii") as file:
            folder = file.read().strip()
        return os.path.join(entry, "tar-split.json.gz"), os.path.join(self.root, "overlay2", folder, "diff")


def pieces(split: str) -> Iterator[dict[str, Any]]:
    """The layer's tar in order: bytes of the archive itself, and files by name and size."""
    with gzip.open(split, "rb") as lines:
        for line in lines:
            yield json.loads(line)


def layer_size(split: str) -> int:
    """Bytes of the layer's tar."""
    return sum(
        len(base64.b64decode(p["payload"])) if p["type"] == 2 else p.get("size", 0) for p in pieces(split)
    )


def write_layer(out: BinaryIO, split: str, folder: str) -> None:
    """The layer's tar, byte for byte as it was."""
    for piece in pieces(split):
        if piece["type"] == 2:
            out.write(base64.b64decode(piece["payload"]))
        elif piece.get("size"):
            copy_file(out, os.path.join(folder, _name(piece).lstrip("/")), piece["size"])


def _name(piece: dict[str, Any]) -> str:
    if piece.get("name") is not None:
        return str(piece["name"])
    return os.fsdecode(base64.b64decode(piece["name_raw"]))


def copy_file(out: BinaryIO, path: str, size: int) -> None:
    """Exactly `size` bytes of the file; EOFError when it has fewer."""
    with open(path, "rb", buffering=0) as file:
        while size:
            chunk = file.read(min(size, CHUNK_BYTES))
            if not chunk:
                raise EOFError(f"{path} is shorter than the image says")
            out.write(chunk)
            size -= len(chunk)


def header(name: str, size: int) -> bytes:
    """The tar header of a plain file, the same for the same content."""
    text = bytearray(BLOCK_BYTES)

    def put(at: int, value: bytes) -> None:
        text[at : at + len(value)] = value

    put(0, name.encode())
    put(100, b"0000644\0" + b"0000000\0" + b"0000000\0")
    put(124, b"%011o\0" % size if size < OCTAL_LIMIT else b"\x80" + size.to_bytes(11, "big"))
    put(136, b"00000000000\0" + b" " * 8 + b"0")
    put(257, b"ustar\x0000")
    put(148, b"%06o\0 " % sum(text))
    return bytes(text)


def padding(size: int) -> bytes:
    """What fills the last block."""
    return b"\0" * (-size % BLOCK_BYTES)


def blob_name(digest: str) -> str:
    """Where the archive keeps a blob."""
    return "blobs/sha256/" + digest.rsplit(":", maxsplit=1)[-1]


def write_image(out: BinaryIO, root: str, image: str, tag: str, shared: int) -> None:
    """The archive: manifest, configuration, the layers from the `shared`-th on."""
    store = Store(root)
    config = store.config(image)
    diffs = json.loads(config)["rootfs"]["diff_ids"]
    manifest = [
        {"Config": blob_name(image), "RepoTags": [tag], "Layers": [blob_name(diff) for diff in diffs]}
    ]
    for name, text in (("manifest.json", json.dumps(manifest).encode()), (blob_name(image), config)):
        out.write(header(name, len(text)) + text + padding(len(text)))
    for diff, chain in list(zip(diffs, chain_ids(diffs)))[shared:]:  # noqa: B905 (Python 3.8 has no strict)
        split, folder = store.layer(chain)
        size = layer_size(split)
        out.write(header(blob_name(diff), size))
        write_layer(out, split, folder)
        out.write(padding(size))
    out.write(b"\0" * 2 * BLOCK_BYTES)
    out.flush()


def main() -> None:
    """`ROOT IMAGE TAG SHARED`; as a container's first process it must end by itself on TERM."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    root, image, tag, shared = sys.argv[1:5]
    with open(1, "wb", buffering=CHUNK_BYTES, closefd=False) as out:
        write_image(out, root, image, tag, int(shared))


if __name__ == "__main__":
    main()
