"""What remote.checkpoint.headers_program prints: a model's files, tensors, configuration, and the memory."""

from __future__ import annotations

import json
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.weights import Checkpoint, Tensors, WeightFile
from sparkconsole.parse.machine.proc import parse_meminfo


def parse_checkpoint(text: str) -> Checkpoint:
    """SparkError when it is not what the program prints; a node without the model has no folder."""
    try:
        data = json.loads(text)
        return Checkpoint(
            folder=data.get("folder", ""),
            revision=data.get("revision", ""),
            config=data.get("config", {}),
            files=tuple(WeightFile(*row) for row in data.get("files", ())),
            other=tuple(WeightFile(*row) for row in data.get("other", ())),
            tensors=tuple(_tensors(row) for row in data.get("tensors", ())),
            index_bytes=_bytes(data.get("index_bytes")),
            memory=parse_meminfo(data.get("meminfo", "")),
            gpu=bool(data.get("gpu", True)),
            error=data.get("error", ""),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise SparkError(
            "what it said of the model's files could not be understood",
            hint="look at the files on the node, and try again",
        ) from error


def _tensors(row: list[Any]) -> Tensors:
    name, dtype, stored = row
    return Tensors(str(name), str(dtype), int(stored))


def _bytes(value: Any) -> int | None:
    """Newer writers say it as a number with a point."""
    return int(value) if isinstance(value, (int, float)) else None
