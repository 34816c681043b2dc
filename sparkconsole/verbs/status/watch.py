"""The rows of `status --watch`: what every node's hardware does, and the file that keeps them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkconsole.config.bounded_read import expanded
from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.fleet.watch.readings import Observed, observed
from sparkconsole.model.telemetry import LinkTraffic, Reading, as_data
from sparkconsole.model.text.printable import printable
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Row
from sparkconsole.verbs.grammar.session import Session

LEAST_S = 0.1
_OURS = 0o600


def status_watch(
    session: Session, *, every: float, count: int | None, series: Path | None
) -> AsyncIterator[Row]:
    """A row a node and moment, for as long as somebody takes them; WrongUsage before the first."""
    if not LEAST_S <= every <= 3600:
        raise WrongUsage(f"--every must be {LEAST_S:g} to 3600 seconds")
    return _rows(session, every, count, series)


async def _rows(session: Session, every: float, count: int | None, series: Path | None) -> AsyncIterator[Row]:
    codes: dict[str, int] = {}
    with _file(series) as fd:
        async with aclosing(observed(session.fleet, every, count)) as coming:  # type: ignore[type-var]
            async for found in coming:
                row = _with_worst_exit(_row(found), found.node, codes)
                if fd is not None:
                    _append(fd, series, row.data)
                yield row


def _with_worst_exit(row: Row, node: str, codes: dict[str, int]) -> Row:
    """The last row's exit code is the watch's: of nodes that are unknown then, not of what is long mended."""
    before = any(codes.values())
    codes[node] = int(row.data.get("exit", 0))
    worst = max(codes.values())
    return replace(row, data={**row.data, "exit": worst}) if worst or before else row


@contextmanager
def _file(path: Path | None) -> Iterator[int | None]:
    """Opened to append; nobody else may read what a machine says of itself."""
    if path is None:
        yield None
        return
    try:
        fd = os.open(expanded(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _OURS)
    except OSError as error:
        hint = "name a file that can be written"
        raise WrongUsage(f"--series {path}: {error.strerror}", hint=hint) from error
    try:
        if stat.S_ISREG(os.fstat(fd).st_mode):  # a device is not ours to close to others
            os.fchmod(fd, _OURS)
        yield fd
    finally:
        os.close(fd)


def _append(fd: int, path: Path | None, data: Mapping[str, Any]) -> None:
    line = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    try:
        while line:
            line = line[os.write(fd, line) :]
    except OSError as error:
        raise SparkError(f"{path}: {error.strerror}", hint="make room, or name another file") from error


def _row(found: Observed) -> Row:
    at = datetime.fromtimestamp(found.at_s, UTC)
    head = {"node": found.node, "time": at.isoformat(timespec="milliseconds")}
    when = f"{at.astimezone():%H:%M:%S} {found.node}"
    if found.reading is None:
        why = found.error or SparkError("nobody said")
        text = f"{why.cause} — {why.hint}" if why.hint else why.cause
        unknown = {**head, "state": "unknown", "error": why.as_data(), "exit": why.exit_code}
        return Row(unknown, f"{when} ✖ {text}", found.node)
    data = {**head, "state": "reachable", **as_data(found.reading)}
    return Row(data, f"{when} {'  '.join(_sentences(found.reading))}", found.node)


def _sentences(now: Reading) -> Iterable[str]:
    """What a person follows; what is not known is left out."""
    yield from _gpu(now)
    if memory := now.memory:
        yield f"mem {size(memory.used)}/{size(memory.total)}"
    if now.cached is not None:
        yield f"cache {size(now.cached)}"
    if now.cpu is not None:
        yield f"cpu {now.cpu:.0f} %"
    if now.pressure:
        yield f"waits {now.pressure:.1f} %"
    yield from _rails(now.rails)
    yield from (f"kernel: {printable(line)}" for line in now.kernel or ())


def _gpu(now: Reading) -> Iterator[str]:
    gpu = next(iter(now.gpus), None)
    if gpu is None:
        yield from (f"gpu: {printable(error)}" for error in (now.gpu_error,) if error)
        return
    cells = {"%": gpu.utilisation, "W": gpu.power_w, "°C": gpu.temperature_c, "MHz": gpu.clock_mhz}
    if parts := [f"{value:.0f} {unit}" for unit, value in cells.items() if value is not None]:
        yield f"gpu {' '.join(parts)}"
    if gpu.held:
        yield f"held by {', '.join(gpu.held)}"


def _rails(rails: Mapping[str, LinkTraffic]) -> Iterator[str]:
    """All that have a link together; those that lost it, errors and congestion by name."""
    up = [flow for flow in rails.values() if flow.up]
    moved = [(f.rx_per_s, f.tx_per_s) for f in up]
    received, sent = (sum(v or 0.0 for v in way) for way in zip(*moved, strict=True)) if moved else (0.0, 0.0)
    if rails:
        yield f"rdma {len(up)}/{len(rails)} up {size(received)}/s in {size(sent)}/s out"
    yield from (
        f"{name} {what} +{new}" for name, flow in rails.items() for what, new in flow.counts.items() if new
    )
