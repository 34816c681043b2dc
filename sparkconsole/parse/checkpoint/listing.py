"""What the model program's `list` prints of a Hugging Face cache: a line of JSON per model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.cached import CachedModel

OWNER_HINT = "the cache's owner is shown by: sparkconsole doctor"
_LISTS = ("dangling", "missing")
_KNOWN = {f.name for f in fields(CachedModel)} - {"name"}


def parse_models(text: str) -> tuple[CachedModel, ...]:
    """The models in the order they were printed; SparkError when nobody may look, or for another text."""
    return tuple(_models(text))


def model_name(folder: str) -> str:
    """`openai--gpt-oss-120b` is `openai/gpt-oss-120b`; a name may have `--` in it, an owner not."""
    return folder.replace("--", "/", 1)


def _models(text: str) -> Iterator[CachedModel]:
    try:
        for line in text.splitlines():
            data: dict[str, Any] = json.loads(line)
            if "model" not in data:
                raise SparkError(f"the cache cannot be read: {data['error']}", hint=OWNER_HINT)
            values: dict[str, Any] = {
                k: tuple(v) if k in _LISTS else v for k, v in data.items() if k in _KNOWN
            }
            yield CachedModel(model_name(data["model"]), **values)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SparkError("what it said of its models could not be understood", hint="try again") from error
