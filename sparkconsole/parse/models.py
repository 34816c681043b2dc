"""What `remote.models` prints of a Hugging Face cache: a line per model, then what is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparkconsole.model.cached import CachedModel

_WHOLE = ("files", "dangling", "missing", "unfinished")
_PREFIX = "models--"


def parse_models(text: str) -> tuple[CachedModel, ...]:
    """The models in the order they were printed; lines of another shape are passed over."""
    return tuple(_models(text))


def model_name(folder: str) -> str:
    """`models--openai--gpt-oss-120b` is `openai/gpt-oss-120b`; a name may have `--` in it, an owner not."""
    return folder.removeprefix(_PREFIX).replace("--", "/", 1)


def _models(text: str) -> Iterator[CachedModel]:
    told: dict[str, Any] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == "model" and value.startswith(_PREFIX):
            if told:
                yield CachedModel(**told)
            told = {"name": model_name(value)}
        elif told and key in ("lacks", "dangles"):
            told[key] = (*told.get(key, ()), value.strip())
        elif told:
            told |= _fact(key, value.strip())
    if told:
        yield CachedModel(**told)


def _fact(key: str, value: str) -> dict[str, Any]:
    if key == "snapshot":
        return {key: value}
    if key in ("weights", "config"):
        return {key: value == "yes"}
    if key in _WHOLE and value.isdigit():
        return {key: int(value)}
    return {"size_bytes": int(value) * 1024} if key == "kib" and value.isdigit() else {}
