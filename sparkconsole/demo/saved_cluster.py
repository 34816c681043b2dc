"""`--demo=NAME`: a pretend cluster that is kept between two commands, in a folder of its own.

The machines are pickled as they are, so that everything in them lasts: containers, servers, faults, time.
What is read back may name classes of the pretend cluster only, of the very shape they were written with.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import pickle
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sparkconsole import __version__
from sparkconsole.config.locked import taken
from sparkconsole.config.paths import private_folder, write_private
from sparkconsole.demo import stories
from sparkconsole.demo.clock import DemoClock
from sparkconsole.demo.cluster import Pretend, pretend
from sparkconsole.demo.spark import engine, jobs, life, machine
from sparkconsole.errors import Refused, SparkError, WrongUsage

WAIT_S, _LOOK_S = 10.0, 0.1
"""How long a second command waits for the first one, and the time between its looks."""
_MODULES = (engine, jobs, life, machine, stories)
_OTHERS = {("datetime", kind.__name__): kind for kind in (datetime, timedelta, timezone)}
_CLOCK = "clock"
STATE = "machines.json"


@dataclass(frozen=True, slots=True)
class Kept:
    """What one session works with."""

    pretend: Pretend
    remark: str = ""
    """Why it is a new cluster, where an old one was expected."""


@asynccontextmanager
async def lasting(folder: Path, count: int | None, clock: DemoClock) -> AsyncIterator[Kept]:
    """The pretend cluster of that folder, for one command at a time; kept again at the end.

    `count`: machines that were asked for, or None for as many as there are. Refused while another command has
    it; WrongUsage when it has another number of machines. A file that cannot be read is a new cluster.
    """
    async with _locked(folder):
        kept = _read(folder / STATE, count, clock)
        try:
            yield kept
        finally:
            _write(folder / STATE, kept.pretend, clock)


@asynccontextmanager
async def _locked(folder: Path) -> AsyncIterator[None]:
    """Holds the folder; the lock ends with the process, however that ends."""
    try:
        file = os.open(private_folder(folder) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _not_kept(folder, error) from error
    try:
        until = time.monotonic() + WAIT_S
        while not taken(file):
            if time.monotonic() >= until:
                holder = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
                who = f"another sparkconsole (process {holder})"
                hint = "leave that one, or take another name: --demo=NAME"
                raise Refused(f"the pretend cluster {folder.name} is in use by {who}", hint=hint)
            await asyncio.sleep(_LOOK_S)
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(file)


# --- to a file and back


def _write(path: Path, kept: Pretend, clock: DemoClock) -> None:
    stream = io.BytesIO()
    _MachinesWriter(stream, clock).dump(kept.machines)
    payload = stream.getvalue()
    state = {
        "what": "a pretend cluster of sparkconsole --demo=NAME; delete this folder to begin anew",
        "shape": shape(),
        "count": len(kept.machines),
        "began": clock.at(0.0).isoformat(),
        "passed": clock.monotonic(),
        "left": time.time(),
        "digest": hashlib.sha256(payload).hexdigest(),
        "machines": base64.b64encode(payload).decode(),
    }
    try:
        write_private(path, json.dumps(state))
    except OSError as error:
        raise _not_kept(path, error) from error


def _not_kept(path: Path, error: OSError) -> SparkError:
    cause = f"the pretend cluster cannot be kept in {path}: {error.strerror or error}"
    return SparkError(cause, hint="make that place writable; --demo without a name keeps nothing")


def _read(path: Path, count: int | None, clock: DemoClock) -> Kept:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["shape"] != shape():
            return _anew(path, "another version of sparkconsole wrote it", count, clock)
        payload = base64.b64decode(state["machines"], validate=True)
        if hashlib.sha256(payload).hexdigest() != state["digest"]:
            return _anew(path, "it is damaged", count, clock)
        away = max(0.0, time.time() - float(state["left"]))
        clock.resume(datetime.fromisoformat(state["began"]), float(state["passed"]) + away)
        machines = _MachinesReader(io.BytesIO(payload), clock).load()
    except FileNotFoundError:
        return Kept(pretend(count or 2, clock=clock))
    except (OSError, UnicodeDecodeError) as error:
        return _anew(path, "it cannot be read", count, clock, error)
    except (ValueError, KeyError, TypeError, RecursionError, pickle.UnpicklingError):
        return _anew(path, "it is damaged", count, clock)
    if count not in (None, len(machines)):
        name = path.parent.name
        hint = f"--demo={name}, or another name for another size"
        raise WrongUsage(f"the pretend cluster {name} has {len(machines)} machines, not {count}", hint=hint)
    return Kept(pretend(len(machines), clock=clock, machines=machines))


def _anew(path: Path, why: str, count: int | None, clock: DemoClock, error: Exception | None = None) -> Kept:
    text = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
    remark = f"the pretend cluster {path.parent.name} begins anew: {path}: {why}{text}"
    return Kept(pretend(count or 2, clock=clock), remark)


def shape() -> str:
    """What the kept classes look like: another version's machines are never taken for this one's."""
    lines = [
        f"{kind.__module__}.{kind.__qualname__}: {[f.name for f in fields(kind)]}"
        for module in _MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind)
    ]
    return hashlib.sha256("\n".join((__version__, *sorted(lines))).encode()).hexdigest()[:16]


class _MachinesWriter(pickle.Pickler):
    """The clock belongs to the session, not to the machines."""

    def __init__(self, stream: io.BytesIO, clock: DemoClock) -> None:
        super().__init__(stream)
        self._clock = clock

    def persistent_id(self, obj: Any) -> str | None:
        """As pickle asks for it."""
        return _CLOCK if obj is self._clock else None


class _MachinesReader(pickle.Unpickler):
    """Makes nothing but what a pretend cluster is made of."""

    def __init__(self, stream: io.BytesIO, clock: DemoClock) -> None:
        super().__init__(stream)
        self._clock = clock

    def persistent_load(self, pid: Any) -> DemoClock:
        """As pickle asks for it."""
        return self._clock

    def find_class(self, module: str, name: str) -> Any:
        """Our dataclasses and moments in time; UnpicklingError for everything else."""
        known = {m.__name__: m for m in _MODULES}
        found = getattr(known.get(module), name, None) or _OTHERS.get((module, name))
        if isinstance(found, type) and (is_dataclass(found) or (module, name) in _OTHERS):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a pretend cluster")
