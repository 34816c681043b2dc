"""The look at a Hugging Face cache, by a real python3 over folders laid out as the hub's client does."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.cached import CachedModel
from sparkconsole.parse.checkpoint.files import model_name, parse_models
from sparkconsole.remote.checkpoint.files import LIST, program
from tests.model_caches import COMMIT, hub_cache, shards
from tests.model_ends import environment


def cache(home: Path, name: str, files: dict[str, str], *, ref: str = "abc") -> Path:
    folder = home / ".cache/huggingface/hub" / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / ref
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(ref)
    for number, (file, text) in enumerate(files.items()):
        blob = folder / "blobs" / f"blob{number}"
        blob.write_text(text)
        (snapshot / file).symlink_to(os.path.relpath(blob, snapshot))
    return folder


def seen(home: Path) -> dict[str, CachedModel]:
    done = subprocess.run(LIST, input=program(), env=environment(home), capture_output=True, check=True)
    assert done.stderr == b""
    return {m.name: m for m in parse_models(done.stdout.decode())}


WHOLE = {"config.json": "{}", "model.safetensors": "w" * 5000}


def test_no_cache_has_no_models(tmp_path: Path) -> None:
    assert seen(tmp_path) == {}


def test_a_whole_model(tmp_path: Path) -> None:
    cache(tmp_path, "openai/gpt-oss-120b", WHOLE)
    found = seen(tmp_path)["openai/gpt-oss-120b"]
    assert found.complete
    assert found.snapshot == "abc"
    assert found.size_bytes is not None
    assert found.size_bytes >= 5000


def test_an_unfinished_download_and_a_link_to_nothing(tmp_path: Path) -> None:
    folder = cache(tmp_path, "a/b", WHOLE)
    (folder / "blobs/x.incomplete").write_text("…")
    (folder / "blobs/blob1").unlink()
    found = seen(tmp_path)["a/b"]
    assert (found.unfinished, found.dangling) == (1, ("model.safetensors",))
    assert found.why_incomplete == "1 unfinished, 1 link to nothing (model.safetensors), no weights"


def test_blobs_that_all_models_share_count_and_halves_in_a_snapshot_too(tmp_path: Path) -> None:
    folder = hub_cache(tmp_path, "a/b", shards(2, 500_000), shared=True)
    assert (seen(tmp_path)["a/b"].size_bytes or 0) >= 1_000_000
    (folder / "snapshots" / COMMIT / "model-00003-of-00003.safetensors.incomplete").write_text("…")
    assert seen(tmp_path)["a/b"].unfinished == 1


def test_the_index_names_weights_that_are_not_there(tmp_path: Path) -> None:
    index = {
        "weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors", "z": "model-2.safetensors"}
    }
    files = {
        "config.json": "{}",
        "model-1.safetensors": "w",
        "model.safetensors.index.json": json.dumps(index),
    }
    cache(tmp_path, "a/b", files)
    assert seen(tmp_path)["a/b"].why_incomplete == "1 weight file missing (model-2.safetensors)"


def test_the_numbers_of_shards_name_those_that_are_not_there(tmp_path: Path) -> None:
    kept = {f"model-{n:05d}-of-00008.safetensors": "w" for n in (1, 2, 7)}
    cache(tmp_path, "a/b", {"config.json": "{}", **kept})
    assert seen(tmp_path)["a/b"].why_incomplete == (
        "5 weight files missing (model-00003-of-00008.safetensors, model-00004-of-00008.safetensors, "
        "model-00005-of-00008.safetensors, …)"
    )


def test_files_that_models_share_and_names_of_one_file_are_counted_once(tmp_path: Path) -> None:
    folder = cache(tmp_path, "a/b", WHOLE)
    later = folder / "snapshots/later"
    later.mkdir()
    (later / "model.safetensors").symlink_to("../../blobs/blob1")
    assert seen(tmp_path)["a/b"].size_bytes == 5002 + len("abc"), "and refs/main"


def test_a_cache_that_may_not_be_read_is_not_called_empty(tmp_path: Path) -> None:
    """Root may read everything: a file where the folder should be is as unreadable to everyone."""
    hub = tmp_path / ".cache/huggingface/hub"
    hub.parent.mkdir(parents=True)
    hub.write_text("")
    with pytest.raises(SparkError, match=r"the cache cannot be read: .*hub: Not a directory"):
        seen(tmp_path)


def test_a_model_without_a_snapshot(tmp_path: Path) -> None:
    folder = cache(tmp_path, "a/b", {})
    (folder / "refs/main").unlink()
    (folder / "snapshots/abc").rmdir()
    assert seen(tmp_path)["a/b"].why_incomplete == "no snapshot"


def test_without_refs_the_newest_snapshot_counts(tmp_path: Path) -> None:
    folder = cache(tmp_path, "a/b", WHOLE)
    (folder / "refs/main").unlink()
    assert seen(tmp_path)["a/b"].complete


def test_names_that_are_odd(tmp_path: Path) -> None:
    cache(tmp_path, "o/with space [x]", WHOLE)
    assert list(seen(tmp_path)) == ["o/with space [x]"]
    assert model_name("gpt2") == "gpt2"
    assert model_name("o--a--b") == "o/a--b"


@pytest.mark.parametrize(
    "text", ["what\n", "[]\n", '{"model": 3}\n', '{"model": "a--b", "missing": 3}\n', "{}"]
)
def test_another_text_is_not_taken_for_an_empty_cache(text: str) -> None:
    with pytest.raises(SparkError, match="could not be understood"):
        parse_models(text)
