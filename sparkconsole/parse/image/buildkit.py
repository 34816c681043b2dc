"""What `docker build` prints, as steps: plain progress, and the classic builder.

Lines that say nothing about a step change nothing; sizes are bytes, never guessed.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from sparkconsole.parse.values import number

TAIL_LINES = 20
"""Output lines kept of each step: enough to see why it failed."""

_VERTEX = re.compile(r"^#(\d+) (.*)$")
_LOGGED = re.compile(r"^\d+\.\d+ (.*)$")
_ENDED = re.compile(r"^(DONE|CACHED|CANCELED|ERROR)\b:? ?(?:([\d.]+)s$)?(.*)$")
_STAGE = re.compile(r"^\[(?:(?P<stage>[^\]]*?) )?(?P<index>\d{1,9})/(?P<total>\d{1,9})\] ")
_SIZES = re.compile(
    r"^(?P<id>\S.*?)(?<![ :])[ :]+(?P<done>[\d.]+ ?[kKMGT]?i?B) / (?P<total>[\d.]+ ?[kKMGT]?i?B)\b"
)
_NINJA = re.compile(r"^\s*\[(\d{1,9})/(\d{1,9})\]")
_CLASSIC = re.compile(r"^Step (\d{1,9})/(\d{1,9}) : (.*)$")
_TAKEN = re.compile(r"(?<!\S)FROM ([a-z0-9][\w.:/-]{0,300})@(sha256:[0-9a-f]{64})(?!\S)")
_FATAL = re.compile(
    r"^(?:ERROR: |error: )?(failed to (?:solve|build)|failed to read dockerfile|unable to prepare context|"
    r"Cannot connect to the Docker daemon|BuildKit is enabled but|permission denied while trying|Error "
    r"response from daemon|The command '.*' returned a non-zero code|.*unknown flag|invalid argument|"
    r"dockerfile parse error)"
)
# Around the reason stands the shell command once more, whose step is named beside it.
_RAN = re.compile(
    r"^(?:executor failed running \[.*\]|process \".*\" did not complete(?: successfully)?"
    r"|The command '.*' returned a non-zero code): (?=\S)"
)


class StepState(StrEnum):
    """How far a build step is."""

    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class BuildStep:
    """One step of a build: BuildKit's vertex, or the classic builder's step."""

    id: str
    name: str
    state: StepState = StepState.RUNNING
    stage: str = ""
    index: int = 0
    total: int = 0
    """Steps of its stage; 0: it is no step of the Dockerfile (loading, exporting)."""
    seconds: float | None = None
    error: str = ""
    """Why it failed, as the builder says it."""
    parts: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes done and in all, per download or upload."""
    counted: tuple[int, int] | None = None
    """What the running command counts by itself: ninja's `[12/345]`."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))

    @property
    def reason(self) -> str:
        """Why it failed without the command, which its name has."""
        why = _RAN.sub("", self.error)
        return f"exit code: {why}" if why.isdecimal() else why

    @property
    def progress(self) -> tuple[int, int, str] | None:
        """Done, in all, and the unit: what the command counts (no unit), or bytes; None: it does not say."""
        if self.counted:
            return (*self.counted, "")
        total = sum(t for _, t in self.parts.values())
        return (sum(d for d, _ in self.parts.values()), total, "B") if total else None


class BuildLog:
    """Feed it every line of the build in order; it knows the steps, how far they are, and what failed."""

    def __init__(self) -> None:
        self.steps: dict[str, BuildStep] = {}
        self.fatal: str = ""
        """The sentence with which the builder gave up."""
        self._current: BuildStep | None = None
        self._names: dict[str, str] = {}
        self._last: deque[str] = deque(maxlen=TAIL_LINES)

    def feed(self, line: str) -> BuildStep | None:
        """The step that the line tells something new about; None for other lines."""
        line = line.rstrip()
        if line.strip():
            self._last.append(line)
        if found := _VERTEX.match(line):
            return self._plain(found[1], found[2])
        if found := _CLASSIC.match(line):
            return self._classic_step(int(found[1]), int(found[2]), found[3])
        return self._other(line)

    def counts(self) -> tuple[int, int]:
        """Dockerfile steps that ended, and those known so far (later stages become known as they start)."""
        known: dict[str, int] = {}
        ended: dict[str, int] = {}
        for step in (s for s in self.steps.values() if s.total):
            known[step.stage] = max(known.get(step.stage, 0), step.total)
            if step.state in _GOOD:
                # A stage is a chain; of steps that stages share, only one stage's name is told.
                ended[step.stage] = max(ended.get(step.stage, 0), step.index)
        return sum(ended.values()), sum(known.values())

    def digests(self) -> dict[str, str]:
        """What it took its bases from, by their names as Docker writes them: `FROM NAME@sha256:…`."""
        taken = (_TAKEN.search(step.name) for step in self.steps.values())
        return {found[1]: found[2] for found in taken if found}

    def failed(self) -> BuildStep | None:
        """The step that failed; None when none said so."""
        return next((s for s in self.steps.values() if s.state is StepState.FAILED), None)

    def last_lines(self) -> tuple[str, ...]:
        """The failed step's last output, else the last lines of all."""
        step = self.failed()
        return tuple(step.tail) if step and step.tail else tuple(self._last)

    # --- plain progress

    def _plain(self, number: str, rest: str) -> BuildStep | None:
        step = self.steps.get(number)
        if step is None:
            return self._begin(number, rest)
        if rest in ("...", step.name):
            return None
        if ended := _ENDED.match(rest):
            return _end(step, ended[1], ended[2], ended[3].strip())
        if logged := _LOGGED.match(rest):
            return _log(step, logged[1])
        return _status(step, rest)

    def _begin(self, number: str, name: str) -> BuildStep:
        found = _STAGE.match(name)
        step = self.steps[number] = BuildStep(number, name)
        if found:
            step.stage, step.index = found["stage"] or "", int(found["index"])
            step.total = int(found["total"])
        return step

    # --- the classic builder, and what no step says

    def _classic_step(self, index: int, total: int, name: str) -> BuildStep:
        if self._current is not None:
            _end(self._current, "DONE")
        self._current = self._begin(str(index), name)
        self._current.index, self._current.total = index, total
        return self._current

    def _other(self, line: str) -> BuildStep | None:
        if _FATAL.match(line):
            self.fatal = line.strip()
            return _end(self._current, "ERROR", text=self.fatal) if self._current else None
        if self._current is None:
            return None
        if line.startswith(" ---> Using cache"):
            return _end(self._current, "CACHED")
        if line.startswith("Successfully built "):
            return _end(self._current, "DONE")
        return None if line.startswith(" ---> ") else _log(self._current, line)


_GOOD = (StepState.DONE, StepState.CACHED)
_STATES = {
    "DONE": StepState.DONE, "CACHED": StepState.CACHED, "CANCELED": StepState.CANCELLED,
    "ERROR": StepState.FAILED,
}  # fmt: skip


def _end(step: BuildStep, word: str, seconds: str | None = None, text: str = "") -> BuildStep:
    if step.state in (StepState.CACHED, StepState.FAILED) and word == "DONE":
        return step
    step.state, step.error = _STATES[word], text
    step.seconds = number(seconds) if seconds else step.seconds
    return step


def _log(step: BuildStep, line: str) -> BuildStep:
    step.tail.append(line)
    if found := _NINJA.match(line):
        done, total = int(found[1]), int(found[2])
        step.counted = (min(done, total), total) if total else None
    return step


def _status(step: BuildStep, text: str) -> BuildStep:
    if found := _SIZES.match(text):
        done, total = size_bytes(found["done"]), size_bytes(found["total"])
        if done is not None and total:
            step.parts[found["id"]] = (min(done, total), total)
    return step


def size_bytes(text: str) -> int | None:
    """`12.58MB` as bytes (decimal units; `MiB` binary); None for anything else."""
    found = re.fullmatch(r"([\d.]{1,20}) ?([kKMGT]?)(i?)B", text)
    if not found or (amount := number(found[1])) is None:
        return None
    power = ("", "k", "m", "g", "t").index(found[2].lower())
    return round(amount * float((1024 if found[3] else 1000) ** power))
