"""What the model program prints: a node's holding, and the lines of a copy or a download."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sparkconsole.errors import SparkError
from sparkconsole.model.checkpoint.files import CheckpointFiles
from sparkconsole.model.transfer.outcome import ByteProgress
from sparkconsole.parse.json_line import json_line

_LISTS = ("missing", "unreadable")


def parse_holding(text: str) -> CheckpointFiles:
    """SparkError when it is not what the program prints."""
    known = {f.name for f in fields(CheckpointFiles)}
    try:
        data: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {k: v for k, v in data.items() if k in known}
        return CheckpointFiles(**{**values, **{k: tuple(values[k]) for k in _LISTS if k in values}})
    except (ValueError, TypeError, AttributeError) as error:
        raise SparkError(
            "what it said of the model's files could not be understood", hint="try again"
        ) from error


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
        data = json_line(line)
        if data is None:
            self.last = line.strip() or self.last
            return None
        self.revision = str(data.get("revision") or self.revision)
        if data.get("end"):
            self.failed = {str(k): str(v) for k, v in dict(data.get("failed") or {}).items()}
        if "done" not in data:
            return None
        done, total = int(data["done"]), int(data.get("total") or 0)
        self.progress = ByteProgress(done, float(data.get("seconds") or 0), total)
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
