"""The log of `vllm serve`, 0.11 to 0.33: how far a start is, why it failed, and whether its engine died.

Every prefix is optional and may repeat: process tags, Ray's tags with colours, the logger's own.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight, first_error
from sparkconsole.model.serve.spec import ORDER, ServeEvent, ServeProgress, StartFailure, StartPhase, advance
from sparkconsole.model.text.printable import printable
from sparkconsole.parse.diagnose.explain import explain_line, read
from sparkconsole.parse.serve.engine_death import message, tells_of_death, tells_of_start

KEPT_FIRST, SHOWN = 2000, 300
"""Lines of its beginning that stay whatever follows; characters of the line that ended it."""

_TAG = re.compile(r"^\((?:[A-Za-z_]+\w*)(?: [^()]*)?\)\s*")
_LOGGER = re.compile(r"^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \d\d-\d\d \d\d:\d\d:\d\d (?:\[[^\]]*\] ?)?")
_REPEATED = re.compile(r"\s*\[repeated \d+x across cluster\].*$")

_CONCURRENCY = re.compile(
    r"Maximum concurrency for (?P<length>[\d,]+) tokens per request: (?P<times>[\d.]+)x"
)
_OWN_POLL = re.compile(
    r'INFO: +(?:127\.0\.0\.1|\[?::1\]?):\d+ - "GET /(?:health|metrics) HTTP/[\d.]+" 200 OK'
)
"""Uvicorn's access log. Who asks from elsewhere, and what is not answered well, stays."""
_NOTHING = ServeEvent()
_STEPS: tuple[tuple[StartPhase, re.Pattern[str]], ...] = tuple(
    (phase, re.compile(pattern))
    for phase, pattern in (
        (StartPhase.ENGINE, r"version \d+\.\d+|non-default args|Resolved architecture: (?P<detail>\S+)"),
        (StartPhase.ENGINE, r"Initializing a V1 LLM engine|Connecting to existing Ray cluster"),
        (StartPhase.ENGINE, r"(?P<detail>Waiting for creating a placement group .*? for \d+ seconds)"),
        (StartPhase.WEIGHTS, r"Starting to load model (?P<detail>\S+?)\.\.\."),
        (
            StartPhase.WEIGHTS,
            r"(?:Loading|Multi-thread loading).*?: +(?P<percent>\d+)% Completed \| (?P<detail>\S+/\S+) \[",
        ),
        (StartPhase.WEIGHTS, r"(?P<detail>Loading weights took [\d.]+ seconds)|Model loading took"),
        (StartPhase.COMPILE, r"(?P<detail>Compiling a graph for .*)|torch\.compile tak|torch\.compile took"),
        (
            StartPhase.CACHE,
            r"KV cache size: (?P<detail>[\d,]+ tokens)|Available KV cache memory: (?P<memory>.*)",
        ),
        (StartPhase.CACHE, r"Maximum concurrency for [\d,]+ tokens per request"),
        (StartPhase.GRAPHS, r"Capturing CUDA graphs?.*?: +(?P<percent>\d+)%|Graph capturing finished"),
        (StartPhase.SERVER, r"Starting vLLM (?:API )?server"),
        (StartPhase.SERVER, r"Application startup complete\."),
    )
)


def bare(line: str) -> str:
    """The message of a line, without tags, colours, the logger's head and Ray's repetition count."""
    text = _REPEATED.sub("", printable(line)).strip()
    while match := _TAG.match(text) or _LOGGER.match(text):
        text = text[match.end() :]
    return text


def is_own_poll(line: str) -> bool:
    """The server answered what a console asks on its node again and again: such lines hide all others."""
    return _OWN_POLL.search(line) is not None


def read_line(line: str) -> ServeEvent:
    """What one line says of a start."""
    text = bare(line)
    for phase, pattern in _STEPS:
        if match := pattern.search(text):
            groups = match.groupdict()
            percent = groups.get("percent")
            detail = groups.get("detail") or groups.get("memory") or ""
            sentence = ", ".join(filter(None, (detail, _concurrency(text))))
            return ServeEvent(phase, float(percent) if percent else None, sentence)
    return _NOTHING


def _concurrency(text: str) -> str:
    """How many of the longest requests fit: a line of its own up to 0.24, behind the cache's size later."""
    match = _CONCURRENCY.search(text)
    return f"{match['times']} requests of {match['length']} tokens" if match else ""


def first_cause(lines: Iterable[str]) -> StartFailure | None:
    """The first real cause in a log; None for a log without one. Consequences never count as causes.

    A known cause wins; else the first exception or death of a process, whichever came first.
    """
    one = first_error(read(lines))
    if one is None or one.kind is LineKind.CONSEQUENCE:
        return None
    return StartFailure(
        one.line[:400], one.text, one.remedy, one.number, known=one.kind is LineKind.CAUSE, id=one.id
    )


def finding(line: str) -> Diagnosis | None:
    """What a line is worth telling while the log grows; a cause that others follow shows only at its end."""
    found = explain_line(line)
    if found and found.kind in (LineKind.CAUSE, LineKind.FACT) and found.severity is not Weight.INFO:
        return found
    return None


class ServeLogReader:
    """Fed with a rank's log line by line, it tells how far the start is and what ended it."""

    def __init__(self, lines: Iterable[str] = (), *, last: int | None = None) -> None:
        """`last`: how many lines of its end are kept beside those of its beginning; None: all."""
        self.progress = ServeProgress()
        self.death = ""
        """The first line that says that the engine or a rank died; empty: none does since it started."""
        self.dies = False
        """The line fed last is the one that says so."""
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=last)
        for line in lines:
            self.feed(line)

    def feed(self, line: str) -> None:
        """The next line."""
        (self._first if len(self._first) < KEPT_FIRST else self._last).append(line)
        if not self.ready:  # no phase comes after it, and a server's log is long
            self.progress = advance(self.progress, read_line(line))
        self.dies = not self.death and tells_of_death(line)
        if self.dies:
            self.death = message(line)[:SHOWN]
        elif self.death and tells_of_start(line):
            self.death = ""

    @property
    def lines(self) -> list[str]:
        """What is kept of it: its beginning and its end."""
        return [*self._first, *self._last]

    @property
    def ready(self) -> bool:
        """It says that its server listens."""
        return ORDER.index(self.progress.phase) >= ORDER.index(StartPhase.SERVER)

    def cause(self) -> StartFailure | None:
        """The first real cause in it."""
        return first_cause(self.lines)

    def engine_end(self) -> str:
        """`its engine died: ` with the cause, where it names one that is known; empty: it did not die."""
        if not self.death:
            return ""
        cause = self.cause()
        named = f"{cause.why}: “{cause.text}”" if cause and cause.known else f"“{self.death}”"
        return f"its engine died: {named}"
