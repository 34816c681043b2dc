"""What the programs on a node print of models: a holding, its cache's models, the headers and lengths of a
model's files, the lines of a copy or a download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.cached import CachedModel
from sparkconsole.model.checkpoint.files import CheckpointFiles
from sparkconsole.model.checkpoint.weights import Checkpoint, Tensors, WeightFile
from sparkconsole.model.transfer.outcome import ByteProgress
from sparkconsole.parse import values
from sparkconsole.parse.machine.facts import parse_meminfo
from sparkconsole.parse.values import as_count, as_number, as_object, json_object, json_value

_NOT_OURS = (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)
_FOLDERS = ("root", "home", "there")
OWNER_HINT = "the cache's owner is shown by: sparkconsole doctor"


def parse_holding(text: str) -> CheckpointFiles:
    """SparkError when it is not what the program prints."""
    try:
        data = _fields(CheckpointFiles, json_value(text))
        plain = {k: values.plain_name(data.get(k, "")) for k in ("user", "owner")}
        return CheckpointFiles(**data | plain | {k: values.plain_path(data.get(k, "")) for k in _FOLDERS})
    except _NOT_OURS as error:
        cause = "what it said of the model's files could not be understood"
        raise SparkError(cause, hint="try again") from error


def _fields(kind: type[CheckpointFiles | CachedModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """What the value has a field for; a newer program may say more."""
    known = {f.name: f.default for f in fields(kind)}
    return {k: tuple(v) if known[k] == () else v for k, v in data.items() if k in known}


@dataclass
class MoveLog:
    """Feed it every line of a copy's or a download's log."""

    progress: ByteProgress = field(default=ByteProgress(0, 0.0))
    revision: str = ""
    failed: Mapping[str, str] | None = None
    """Why, by file; None: the end was not seen."""
    last: str = ""

    def feed(self, line: str) -> ByteProgress | None:
        """New progress, when the line tells any."""
        data = json_object(line)
        if data is None:
            self.last = line.strip() or self.last
            return None
        self.revision = str(data.get("revision") or self.revision)
        if data.get("end"):
            self.failed = {str(k): str(v) for k, v in as_object(data.get("failed")).items()}
        if (done := as_count(data.get("done"))) is None:
            return None
        seconds, total = as_number(data.get("seconds")) or 0.0, as_count(data.get("total")) or 0
        self.progress = ByteProgress(done, seconds, total)
        return self.progress

    @property
    def measured(self) -> tuple[int, float]:
        """Bytes that were sent, and seconds."""
        return self.progress.done, self.progress.elapsed_s

    @property
    def why(self) -> str:
        """Why it failed; empty when it ended well."""
        if self.failed is None:
            return self.last or "it was ended before its end (stopped, killed, or the node restarted)"
        return "; ".join(self._text(why) for why in dict.fromkeys(self.failed.values()))

    def _text(self, why: str) -> str:
        """One cause, and the files that it kept from arriving."""
        names = [n.rpartition("/")[2] for n, text in (self.failed or {}).items() if n and text == why]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return f"{', '.join(names[:2])}{more}: {why}" if names else why


def parse_models(text: str) -> tuple[CachedModel, ...]:
    """The models in the order they were printed; SparkError when nobody may look, or for another text."""
    return tuple(_models(text))


def model_name(folder: str) -> str:
    """`openai--gpt-oss-120b` is `openai/gpt-oss-120b`; a name may have `--` in it, an owner not."""
    return folder.replace("--", "/", 1)


def _models(text: str) -> Iterator[CachedModel]:
    try:
        for line in text.splitlines():
            data: dict[str, Any] = json_value(line)
            if "model" not in data:
                raise SparkError(f"the cache cannot be read: {data['error']}", hint=OWNER_HINT)
            yield CachedModel(**{**_fields(CachedModel, data), "name": model_name(data["model"])})
    except _NOT_OURS as error:
        raise SparkError("what it said of its models could not be understood", hint="try again") from error


def parse_checkpoint(text: str) -> Checkpoint:
    """SparkError when it is not what the program prints; a node without the model has no folder."""
    try:
        data = json_value(text)
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
    except _NOT_OURS as error:
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
