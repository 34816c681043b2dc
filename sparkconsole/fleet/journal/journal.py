"""The journal keeps what was asked, planned and done: one JSON file and one output file a run.

Files are whole or absent, mode 600, and hold no secret. A run whose console is gone is never called ended.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import secrets
import socket
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sparkconsole.clock import Clock
from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.config.paths import private_folder, write_private
from sparkconsole.config.patience import patiently
from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.fleet.journal.run_output import append_output, output_end, output_files, read_output
from sparkconsole.model.text.alike import suggestion
from sparkconsole.model.text.redact import LineRedactor, learn_environment, redact_data, redact_words
from sparkconsole.model.work.job import ConsoleProcess, Job, Run, RunState

LARGEST_RUN_BYTES = 64 * 1024 * 1024
_SECOND = len("20261231-235959")


class Journal:
    """The runs under `folder`, shared safely by several consoles: each run has one writer."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder, self._clock = folder / "runs", clock
        learn_environment(os.environ)
        self._lines: dict[str, LineRedactor] = {}
        self.unreadable: tuple[Path, ...] = ()
        """Files that the last look found torn or foreign; they are left alone."""
        self._held: dict[str, Run] = {}
        self._fault: OSError | None = None
        self._reported = ""

    def fault(self) -> str:
        """Why something was not written down; empty when all of it was, or when that was told already.

        A record is never a precondition: what cannot be kept is held for as long as this program runs.
        """
        fault, self._fault = self._fault, None
        if fault is None:
            return ""
        why = f"the journal cannot be written: {self.folder}: {fault.strerror or fault}"
        text, self._reported = self._reported, why
        return "" if text == why else why

    def begin(self, words: Sequence[str], cluster: str, plan_data: Mapping[str, Any]) -> Run:
        """Writes a new run down before it does anything."""
        safe, now = redact_words(words), self._clock.now()
        plan = redact_data(plan_data)
        for _ in range(100):
            name = f"{now:%Y%m%d-%H%M%S}-{_slug(safe)}-{secrets.token_hex(2)}"
            run = Run(id=name, words=safe, cluster=cluster, started=now, plan=plan, console=this_console())
            if self._reserve(name):
                return self._write(run)
        cause = f"no free name for a new run in {self.folder}"
        raise SparkError(cause, hint="look at what fills that folder")

    def add_jobs(self, run: Run, jobs: Sequence[Job]) -> Run:
        """Writes jobs down (before they start, so that no console's death can lose them)."""
        stored = self.again(run)
        safe = [Job.model_validate(redact_data(job.model_dump(mode="json"))) for job in jobs]
        merged = {job.id: job for job in (*stored.jobs, *run.jobs, *safe)}
        return self._write(stored.model_copy(update={"jobs": tuple(merged.values())}))

    def ends(self, run: Run, action: Mapping[str, Any]) -> Run:
        """Writes down, before it happens, which deed of ours ends what this run started."""
        ended_by = {"ended_by": redact_data(action)}
        return self._write(self.again(run).model_copy(update=ended_by))

    def adopt(self, run: Run) -> Run:
        """Makes this process the one that minds a run whose console is gone."""
        return self._write(self.again(run).model_copy(update={"console": this_console()}))

    def discard(self, run: Run) -> None:
        """Forgets a run that only looked (an attachment to another run)."""
        self._held.pop(run.id, None)
        for file in (self.folder / f"{run.id}.json", *output_files(self._output(run.id))):
            with contextlib.suppress(OSError):
                patiently(self.folder, partial(Path.unlink, file))

    def end(
        self,
        run: Run,
        state: RunState,
        exit_code: int | None,
        *,
        outcome: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> Run:
        """Writes down how a run ended. UNKNOWN is no end: the run stays open for `runs attach`.

        What another console cancelled stays cancelled: that is why it failed here.
        """
        stored = self.again(run)
        if stored.state is RunState.CANCELLED and state is RunState.FAILED:
            return stored
        ended = {
            "state": RunState.RUNNING if state is RunState.UNKNOWN else state,
            "ended": None if state in (RunState.UNKNOWN, RunState.RUNNING) else self._clock.now(),
            "exit_code": exit_code,
            "outcome": redact_data(dict(outcome or {})),
            "error": redact_data(dict(error or {})),
        }
        if state is RunState.UNKNOWN and alive(stored.console):
            # It minds the run no more; by its name what it left is found on the nodes.
            ended["plan"] = {**stored.plan, "console": stored.console.model_dump()}
            ended["console"] = ConsoleProcess()
        return self._current(self._write(stored.model_copy(update=ended)))

    def runs(self) -> list[Run]:
        """Every readable run, newest first; what could not be read is named in `unreadable`."""
        return list(self.newest())

    def newest(self) -> Iterator[Run]:
        """As `runs`, read only as far as it is asked for: a journal of years costs what is looked at."""
        self.unreadable = ()
        # Names begin with the second of their run; within one only what is inside tells the order.
        names = sorted(self.names(), reverse=True)
        for _, within in itertools.groupby(names, key=lambda name: name[:_SECOND]):
            found = [run for name in within if (run := self._readable(name)) is not None]
            yield from sorted(found, key=lambda run: (run.started, run.id), reverse=True)

    def changed(self) -> int:
        """Another number whenever a run was written down, by whatever console; 0 without any run."""
        try:
            return patiently(self.folder, self.folder.stat).st_mtime_ns
        except OSError:
            return 0

    def count(self) -> int:
        """How many runs are kept, readable or not."""
        return len(self.names())

    def names(self) -> set[str]:
        """The ids of all runs that are kept or held, in no order; a folder that cannot be read has none."""
        try:
            kept = {name[:-5] for name in self._names() if name.endswith(".json")}
        except FileNotFoundError:
            kept = set()
        except OSError as error:
            kept, self._fault = set(), error
        return kept | set(self._held)

    def require_folder(self) -> None:
        """SparkError when what is kept cannot be looked at: that is not the same as nothing kept."""
        try:
            self._names()
        except FileNotFoundError:
            return
        except OSError as error:
            hint = "it must be a folder of your own; XDG_STATE_HOME names another place"
            raise SparkError(f"{self.folder} cannot be read: {error.strerror}", hint=hint) from error

    def _names(self) -> list[str]:
        return patiently(self.folder, partial(os.listdir, self.folder))

    def read(self, name: str) -> Run:
        """The run of that id as it stands; OSError or ValueError when it is torn, foreign or no file."""
        return self._current(self._held.get(name) or _read(self.folder / f"{name}.json"))

    def _readable(self, name: str) -> Run | None:
        try:
            return self.read(name)
        except FileNotFoundError:
            pass
        except (OSError, ValueError):
            self.unreadable = (*self.unreadable, self.folder / f"{name}.json")
        return None

    def find(self, id_prefix: str) -> Run:
        """The one run whose id begins with `id_prefix` or ends in it; WrongUsage when none or several do."""
        if not id_prefix:
            raise WrongUsage("an empty id names no run", hint="list them: sparkconsole runs list")
        self.require_folder()
        by_id = sorted(self.names(), reverse=True)
        hits = (
            [i for i in by_id if i == id_prefix]
            or [i for i in by_id if i.startswith(id_prefix)]
            or [i for i in by_id if i.endswith(f"-{id_prefix}")]
        )
        if len(hits) == 1:
            try:
                return self.read(hits[0])
            except (OSError, ValueError) as error:
                cause = f"{self.folder / hits[0]}.json cannot be read"
                raise WrongUsage(cause, hint="it is torn, or of another version") from error
        if hits:
            hint = f"one of: {', '.join(hits[:5])}"
            raise WrongUsage(f"{id_prefix!r} could be {len(hits)} runs", hint=hint)
        hint = suggestion(id_prefix, by_id, "list them: sparkconsole runs list")
        raise WrongUsage(f"no run is called {id_prefix!r}", hint=hint)

    def append_output(self, run: Run, line: str) -> None:
        """Adds a line to the run's output; of what is too long its beginning and its end are kept."""
        redacted = self._lines.setdefault(run.id, LineRedactor())
        text = f"{redacted(line)}\n".encode(errors="replace")
        try:
            patiently(self.folder, partial(append_output, self._output(run.id), text))
        except OSError as error:
            self._fault = error

    def output(self, run: Run) -> str:
        """What the run printed; empty when it printed nothing."""
        try:
            return read_output(self._output(run.id)).decode("utf-8", "replace")
        except OSError:
            return ""

    def end_of_output(self, name: str, most: int) -> tuple[int, bytes]:
        """How many bytes of a run's output are kept, and the last `most` of them; OSError without any."""
        return patiently(self.folder, partial(output_end, self._output(name), most))

    def _output(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _current(self, run: Run) -> Run:
        """`run`, UNKNOWN when it has no end and nobody minds it any more."""
        if run.state is RunState.RUNNING and not alive(run.console):
            return run.model_copy(update={"state": RunState.UNKNOWN})
        return run

    def _reserve(self, name: str) -> bool:
        if name in self._held:
            return False
        try:
            return patiently(self.folder, partial(_reserve, self._output(name)))
        except OSError as error:
            self._fault = error
        return True

    def again(self, run: Run) -> Run:
        """The run as the disk has it now, with what other consoles wrote into it; else `run` itself."""
        try:
            return self._held.get(run.id) or _read(self.folder / f"{run.id}.json")
        except (OSError, ValueError):
            return run

    def _write(self, run: Run) -> Run:
        try:
            write_private(self.folder / f"{run.id}.json", _json(run))
        except OSError as error:
            self._fault, self._held[run.id] = error, run
        else:
            self._held.pop(run.id, None)
        return run


class JournalAhead(Journal):
    """As earlier lines of a script would leave the journal: their runs come first; nothing is written."""

    def __init__(self, now: Journal) -> None:
        super().__init__(now.folder.parent, now._clock)
        self._ahead: list[Run] = []

    def expect(self, run: Run) -> None:
        """The run that the next line finds as the newest."""
        self._ahead.insert(0, run)

    def newest(self) -> Iterator[Run]:
        """Those to come, then those that are there."""
        yield from self._ahead
        yield from super().newest()

    def count(self) -> int:
        """All of them."""
        return len(self._ahead) + super().count()


def _reserve(path: Path) -> bool:
    """Whether the name is nobody's yet; it is ours then."""
    try:
        private_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return not path.parent.is_dir()  # it may be the folder itself that is a file
    return True


def _json(run: Run) -> str:
    """A machine's JSON may say half of a surrogate pair, which no file of text can hold."""
    try:
        return run.model_dump_json(indent=1) + "\n"
    except ValueError:
        text = json.dumps(run.model_dump(mode="python"), default=str, ensure_ascii=False)
        return text.encode("utf-8", "replace").decode() + "\n"


def _read(path: Path) -> Run:
    """A run lies under its own id: a file of another name is foreign, and would lead to another's output."""
    run = Run.model_validate_json(bounded_bytes(path, LARGEST_RUN_BYTES, regular=True))
    if run.id != path.name.removesuffix(".json"):
        raise ValueError(f"{path.name} holds the run {run.id}")
    return run


def _slug(words: Sequence[str]) -> str:
    """Up to three words that are no options, in plain letters: what a person recognises the run by."""
    spoken = [w for w in words if w and not w.startswith("-")][:3]
    plain = unicodedata.normalize("NFKD", "-".join(spoken)).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:20].strip("-") or "run"


def this_console() -> ConsoleProcess:
    """This process."""
    return ConsoleProcess(host=socket.gethostname(), pid=os.getpid(), born=_born(os.getpid()))


def alive(console: ConsoleProcess) -> bool:
    """The process is seen running on this machine; one on another machine is not seen."""
    if console.pid <= 0 or console.host != socket.gethostname():
        return False
    try:
        os.kill(console.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _born(console.pid) == console.born


def _born(pid: int) -> str:
    """Boot and start tick of a process (proc(5), field 22 of stat); "" for a dead one and without /proc."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else f"{boot}/{fields[19]}"
