"""Models as the hub's clients lay them out, of random bytes; small enough for any test."""

from __future__ import annotations

import hashlib
import json
import os
import random
import struct
from pathlib import Path

COMMIT = "a" * 40


def shards(count: int, size: int, seed: int = 7) -> dict[str, bytes]:
    """Files of a model: safetensors of random bytes, their index, a configuration."""
    source = random.Random(seed)
    names = [f"model-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]
    index = {
        "metadata": {"total_size": count * size},
        "weight_map": {f"t{i}": n for i, n in enumerate(names)},
    }
    files = {name: tensor_file(f"t{i}", source.randbytes(size)) for i, name in enumerate(names)}
    files["model.safetensors.index.json"] = json.dumps(index).encode()
    files["config.json"] = b'{"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 64}'
    return files


def tensor_file(name: str, content: bytes) -> bytes:
    """One tensor in the format."""
    head = json.dumps({name: {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}})
    return struct.pack("<Q", len(head)) + head.encode() + content


def blob_name(name: str, content: bytes) -> str:
    """SHA-256 of what is in large storage, git's SHA-1 of the rest."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def hub_cache(home: Path, model: str, files: dict[str, bytes], *, shared: bool = False) -> Path:
    """The cache's folder. `shared`: the blobs lie in one store for all models, and the model's are links."""
    hub = home / ".cache/huggingface/hub"
    folder = hub / f"models--{model.replace('/', '--')}"
    snapshot, blobs = folder / "snapshots" / COMMIT, folder / "blobs"
    for made in (snapshot, blobs, folder / "refs"):
        made.mkdir(parents=True)
    for name, content in files.items():
        blob = blobs / blob_name(name, content)
        if shared:
            kept = hub / "blobs" / blob.name
            kept.parent.mkdir(exist_ok=True)
            kept.write_bytes(content)
            blob.symlink_to(os.path.relpath(kept, blobs))
        else:
            blob.write_bytes(content)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (folder / "refs/main").write_text(COMMIT)
    return folder


def plain_cache(home: Path, model: str, files: dict[str, bytes]) -> Path:
    """A cache without links: the files themselves are in the snapshot."""
    folder = home / ".cache/huggingface/hub" / f"models--{model.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for name, content in files.items():
        (snapshot / name).write_bytes(content)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(COMMIT)
    return folder
