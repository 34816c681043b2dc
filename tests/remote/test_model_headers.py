"""The program that reads a model's headers, run by a real python3 over files as they are on nodes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.weights import Checkpoint
from sparkconsole.parse.checkpoint.files import parse_checkpoint
from sparkconsole.remote.checkpoint.files import headers_argv, program


def safetensors(path: Path, tensors: Mapping[str, tuple[str, int]], *, cut: int = 0) -> int:
    """A whole file of that format; `cut`: so many bytes of it are missing."""
    header, at = {}, 0
    for name, (dtype, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": [size], "data_offsets": [at, at + size]}
        at += size
    head = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes((struct.pack("<Q", len(head)) + head + bytes(at))[: -cut or None])
    return at


def read(home: Path, model: str) -> Checkpoint:
    done = subprocess.run(
        headers_argv(model),
        input=program(),
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return parse_checkpoint(done.stdout.decode())


def snapshot(home: Path, ref: str = "abc") -> Path:
    folder = home / ".cache/huggingface/hub/models--owner--a-b"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(ref)
    found = folder / "snapshots" / ref
    found.mkdir(parents=True)
    return found


def test_experts_of_a_layer_are_one_row(tmp_path: Path) -> None:
    folder = snapshot(tmp_path)
    (folder / "config.json").write_text('{"num_hidden_layers": 1}')
    experts = {f"model.layers.0.mlp.experts.{n}.up_proj.weight": ("U8", 100) for n in range(64)}
    safetensors(folder / "model.safetensors", {**experts, "lm_head.weight": ("BF16", 10)})
    found = read(tmp_path, "owner/a-b")
    rows = {t.name: (t.dtype, t.stored) for t in found.tensors}
    assert rows["model.layers.0.mlp.experts.*.up_proj.weight"] == ("U8", 6400)
    assert rows["lm_head.weight"] == ("BF16", 10)
    assert (found.revision, found.broken, found.config) == ("abc", (), {"num_hidden_layers": 1})
    assert found.memory is not None
    assert found.memory.total > found.memory.available > 0


def test_only_what_the_index_names_is_loaded_and_what_is_missing_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "local model"
    folder.mkdir()
    safetensors(folder / "a.safetensors", {"x": ("F32", 1000)})
    safetensors(folder / "b.safetensors", {"y": ("F32", 1000)}, cut=1)
    safetensors(folder / "consolidated.safetensors", {"x": ("F32", 1000)})
    index = {"metadata": {"total_size": 3000.0}, "weight_map": {n: f"{n}.safetensors" for n in "abc"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    found = read(tmp_path, str(folder))
    assert {f.name: f.problem for f in found.broken} == {
        "b.safetensors": "cut off",
        "c.safetensors": "No such file or directory",
    }
    assert (found.read_bytes, found.unread_bytes) == (2000, 1000)


def test_a_second_copy_in_mistrals_form_is_not_counted(tmp_path: Path) -> None:
    safetensors(tmp_path / "model-1.safetensors", {"x": ("BF16", 8)})
    safetensors(tmp_path / "consolidated.safetensors", {"x": ("BF16", 8)})
    assert [f.name for f in read(tmp_path, str(tmp_path)).files] == ["model-1.safetensors"]
    (tmp_path / "model-1.safetensors").unlink()
    assert [f.name for f in read(tmp_path, str(tmp_path)).files] == ["consolidated.safetensors"]


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 8, struct.pack("<Q", 10**9) + b"{}", b"\x02" + bytes(7) + b"]["]
)
def test_a_file_that_is_none_is_told_not_believed(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    found = read(tmp_path, str(tmp_path))
    assert "safetensors header" in found.broken[0].problem


def test_a_node_without_the_model_and_paths_of_containers(tmp_path: Path) -> None:
    assert not read(tmp_path, "owner/other").there
    folder = snapshot(tmp_path)
    (folder / "model.bin").write_bytes(bytes(50))
    inside = "/root/.cache/huggingface/hub/models--owner--a-b/snapshots/abc"
    found = read(tmp_path, inside)
    assert found.unread_bytes == 50
    assert "no safetensors" in found.source


def test_other_words_are_not_taken_for_an_answer() -> None:
    told: tuple[Any, ...] = ("", "segfault", "[]", '{"files": [[1,2,3,4]]}', '{"tensors": [["a"]]}')
    for text in told:
        with pytest.raises(SparkError, match="could not be understood"):
            parse_checkpoint(text)
