"""A model's files and what their headers say; only the first bytes of each are read, never a weight."""

from __future__ import annotations

import json
import os
import re
import struct
from typing import Any

from sparkconsole.remote.model_program.looking import place, revision_of

MOST_HEADER = 100_000_000
"""The format's own limit."""


def snapshot_of(model: str) -> tuple[str, str]:
    """The model's folder and revision: a path as it is, or the snapshot of the login's cache."""
    root, folder = place(model.rstrip("/"))
    path = root if folder == "." else model
    if os.path.isdir(path):
        return path, ""
    revision = revision_of(os.path.join(root, folder), "")
    return (os.path.join(root, folder, "snapshots", revision), revision) if revision else ("", "")


def loaded(path: str, name: str) -> dict[str, Any]:
    """A JSON file of the folder; nothing when it is not there or is none."""
    try:
        with open(os.path.join(path, name), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def header(path: str) -> tuple[dict[str, Any], str]:
    """The tensors of one file, and what is wrong with it."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MOST_HEADER, max(0, size - 8)):
            return {}, "no safetensors header"
        try:
            tensors = json.loads(file.read(length))
        except ValueError:
            return {}, "a broken safetensors header"
    tensors.pop("__metadata__", None)
    end = max((t["data_offsets"][1] for t in tensors.values()), default=0)
    return tensors, "" if size == 8 + length + end else "cut off" if size < 8 + length + end else "too long"


def alike(name: str) -> str:
    """Experts of a layer count as one: their tensors are the same, and there are tens of thousands."""
    return re.sub(r"(experts?)\.\d+\.", r"\1.*.", name)


def wanted(path: str, weight_map: dict[str, str] | None) -> list[str]:
    """The weight files that are loaded: those of the index, else all but a second copy in Mistral's form."""
    if weight_map:
        return sorted(set(weight_map.values()))
    there = sorted(n for n in os.listdir(path) if n.endswith(".safetensors"))
    return [n for n in there if not n.startswith("consolidated")] or there


def weights_of(path: str, revision: str) -> dict[str, Any]:
    """Everything about a model that is there."""
    index = loaded(path, "model.safetensors.index.json")
    files: list[list[Any]] = []
    sums: dict[tuple[str, str], int] = {}
    for name in wanted(path, index.get("weight_map")):
        try:
            tensors, problem = header(os.path.join(path, name))
            size = os.stat(os.path.join(path, name)).st_size
        except OSError as error:
            tensors, problem, size = {}, error.strerror or "unreadable", 0
        files.append([name, size, problem])
        for tensor, shape in tensors.items():
            key = (alike(tensor), shape["dtype"])
            first, last = shape["data_offsets"]
            sums[key] = sums.get(key, 0) + last - first
    other = [n for n in os.listdir(path) if n.endswith((".bin", ".gguf", ".pt"))]
    return {
        "folder": path,
        "revision": revision,
        "config": loaded(path, "config.json"),
        "files": files,
        "other": [[n, os.stat(os.path.join(path, n)).st_size] for n in sorted(other)],
        "index_bytes": index.get("metadata", {}).get("total_size"),
        "tensors": [[name, dtype, count] for (name, dtype), count in sums.items()],
    }


def headers(model: str) -> dict[str, Any]:
    """All of it, and the memory of the machine that would hold it."""
    path, revision = snapshot_of(model)
    try:
        found: dict[str, Any] = weights_of(path, revision) if path else {}
    except OSError as error:
        found = {"error": f"{error.filename or path}: {error.strerror}"}
    with open("/proc/meminfo") as file:
        found["meminfo"] = file.read()
    found["gpu"] = os.path.exists("/proc/driver/nvidia") or os.path.exists("/dev/nvidia0")
    return found
