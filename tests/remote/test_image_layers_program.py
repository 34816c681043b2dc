"""The reader of layers, over a store that was written here: missing layers arrive bit for bit, no others."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from sparkconsole.remote.image_layers_program import chain_ids, header, write_image

NAMES = ("one", "two")


def _digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()


def _layer(name: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo(f"files/{name} ü")
        entry.size = 5000
        tar.addfile(entry, io.BytesIO(name.encode() * 2000))
    return made.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> tuple[Path, str]:
    """An overlay2 store with an image of two layers, and the image's id."""
    layers = [_layer(name) for name in NAMES]
    diffs = [_digest(layer) for layer in layers]
    for name, layer, chain in zip(NAMES, layers, chain_ids(diffs), strict=True):
        entry = tmp_path / "image/overlay2/layerdb/sha256" / chain.removeprefix("sha256:")
        entry.mkdir(parents=True)
        (entry / "cache-id").write_text(name)
        (folder := tmp_path / "overlay2" / name / "diff/files").mkdir(parents=True)
        with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
            at, size = (found := tar.getmembers()[0]).offset_data, found.size
        (folder / f"{name} ü").write_bytes(layer[at : at + size])
        pieces = [
            {"type": 2, "payload": base64.b64encode(layer[:at]).decode()},
            {"type": 1, "name": f"files/{name} ü", "size": size},
            {"type": 2, "payload": base64.b64encode(layer[at + size :]).decode()},
        ]
        lines = "".join(json.dumps(piece) + "\n" for piece in pieces)
        (entry / "tar-split.json.gz").write_bytes(gzip.compress(lines.encode()))
    config = json.dumps({"rootfs": {"diff_ids": diffs}}).encode()
    content = tmp_path / "image/overlay2/imagedb/content/sha256"
    content.mkdir(parents=True)
    (content / _digest(config).removeprefix("sha256:")).write_bytes(config)
    return tmp_path, _digest(config)


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_missing_layers_arrive_bit_for_bit_and_no_other(store: tuple[Path, str], shared: int) -> None:
    root, image = store
    write_image(out := io.BytesIO(), str(root), image, "t:1", shared)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        blobs = {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar.getmembers()}
    (manifest,) = json.loads(blobs.pop("manifest.json"))
    assert manifest["RepoTags"] == ["t:1"]
    assert len(manifest["Layers"]) == 2
    assert set(blobs) == {manifest["Config"], *manifest["Layers"][shared:]}
    for name, text in blobs.items():
        assert name == "blobs/sha256/" + hashlib.sha256(text).hexdigest()


def test_a_file_that_became_shorter_ends_the_reader(store: tuple[Path, str]) -> None:
    root, image = store
    (root / "overlay2/two/diff/files/two ü").write_bytes(b"short")
    with pytest.raises(EOFError, match="shorter"):
        write_image(io.BytesIO(), str(root), image, "t:1", 1)


def test_a_damaged_configuration_is_not_sent(store: tuple[Path, str]) -> None:
    root, image = store
    (root / "image/overlay2/imagedb/content/sha256" / image.removeprefix("sha256:")).write_bytes(b"{}")
    with pytest.raises(ValueError, match="damaged"):
        write_image(io.BytesIO(), str(root), image, "t:1", 0)


def test_a_layer_of_more_than_eight_gib_has_a_size_that_tar_reads() -> None:
    size = 20 << 30
    assert tarfile.TarInfo.frombuf(header("blobs/sha256/x", size), "utf-8", "strict").size == size
