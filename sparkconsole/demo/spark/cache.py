"""The models of a pretend Spark: two that every node has, one that only the first has, one half there."""

from __future__ import annotations

import json
from collections.abc import Mapping

_KIB = {
    "models--RedHatAI--Qwen3-VL-235B-A22B-Instruct-NVFP4": 128_000_000,
    "models--openai--gpt-oss-120b": 63_400_000,
    "models--Qwen--Qwen3-30B-A3B-Instruct-2507": 59_700_000,
    "models--meta-llama--Llama-3.1-8B-Instruct": 15_700_000,
}
_OTHER_KIB = 16_000_000
_FILES, _HALF = 12, 3


def folder_of(name: str) -> str:
    """The model's folder in the cache."""
    return f"models--{name.replace('/', '--')}"


def first_models(number: int) -> dict[str, bool]:
    """What a node starts with, and whether it is whole; the first node has everything whole."""
    names = list(_KIB)[: 4 if number == 1 else 3]
    return {name: number == 1 or not name.startswith("models--Qwen-") for name in names}


def cache_listing(models: Mapping[str, bool]) -> str:
    """As the model program's `list` prints it."""
    return "".join(f"{json.dumps(_listed(name, half=not whole))}\n" for name, whole in models.items())


def _commit(folder: str) -> str:
    return f"{sum(map(ord, folder)):040x}"


def _listed(folder: str, *, half: bool) -> dict[str, object]:
    return {
        "model": folder.removeprefix("models--"),
        "snapshot": _commit(folder),
        "dangling": [],
        "missing": _shards()[_HALF:] if half else [],
        "unfinished": 3 if half else 0,
        "config": True,
        "weights": True,
        "size_bytes": _KIB.get(folder, _OTHER_KIB) // (3 if half else 1) * 1024,
    }


def _shards() -> list[str]:
    return [f"model-{n:05d}-of-{_FILES:05d}.safetensors" for n in range(1, _FILES + 1)]


def bytes_of(name: str) -> int:
    """All files of a model."""
    return _KIB.get(folder_of(name), _OTHER_KIB) * 1024 // _FILES * _FILES


def holding(models: Mapping[str, bool], name: str, home: str, free: int) -> str:
    """As the model program's `look` prints it."""
    folder, hub = folder_of(name), f"{home}/.cache/huggingface/hub"
    values = {"root": hub, "home": home, "free": free, "writable": True, "there": hub}
    values |= {"owner": "spark", "user": "spark"}
    if folder not in models:
        return json.dumps(values)
    whole, commit = models[folder], _commit(folder)
    shards = _shards()
    there = shards if whole else shards[:_HALF]
    files = {f"{folder}/blobs/{n:064x}": bytes_of(name) // _FILES for n in range(len(there))}
    links = {f"{folder}/snapshots/{commit}/{shard}": f"../../blobs/{n:064x}" for n, shard in enumerate(there)}
    values |= {"revision": commit, "files": files, "beside": files, "links": links, "tied": links}
    values |= {"refs": {f"{folder}/refs/main": commit}, "missing": [s for s in shards if s not in there]}
    return json.dumps(values | {"hashes": {path: path.rpartition("/")[2] for path in files}})
