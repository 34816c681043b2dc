"""The rates of earlier gates, a JSON line each, mode 600: the newest KEPT of them, whole or not at all."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter

from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.config.locked import locked
from sparkconsole.config.paths import write_private
from sparkconsole.config.patience import patiently
from sparkconsole.model.fabric.rates import Rate

FILE = "fabric.jsonl"
KEPT = 2000
"""Rates: about 400 kB."""


class RateHistory:
    """In the state folder; several consoles may add to it, the last writer's file stays."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._seen: tuple[tuple[int, int] | None, tuple[Rate, ...]] = (None, ())

    def glance(self, cluster: str) -> tuple[Rate, ...]:
        """As `rates`, read again only when the file is another one: may be asked twice a second."""
        try:
            stat = patiently(self.path.parent, self.path.stat)
        except OSError:
            return ()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if stamp != self._seen[0]:
            self._seen = (stamp, self.rates())
        return tuple(r for r in self._seen[1] if r.cluster == cluster)

    def rates(self, cluster: str | None = None) -> tuple[Rate, ...]:
        """Oldest first; lines that are no rates are passed over."""
        try:
            lines = bounded_bytes(self.path, regular=True).decode("utf-8", "replace").splitlines()
        except OSError:
            return ()
        found = (rate for line in lines if (rate := _rate(line)) is not None)
        return tuple(r for r in found if cluster in (None, r.cluster))

    def add(self, new: Iterable[Rate]) -> None:
        """Keeps them; where they cannot be written, the next look has nothing to be held against."""
        with contextlib.suppress(OSError), locked(self.path):
            kept = (*self.rates(), *new)[-KEPT:]
            write_private(self.path, "".join(f"{json.dumps(r.as_data())}\n" for r in kept))


def _rate(line: str) -> Rate | None:
    with contextlib.suppress(ValueError):
        return _reader().validate_json(line, strict=True)
    return None


@functools.cache
def _reader() -> TypeAdapter[Rate]:
    return TypeAdapter(Rate)
