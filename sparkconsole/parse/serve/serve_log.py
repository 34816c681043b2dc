"""A rank's log, read line by line: how far its start is, why it failed, whether its engine died."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from sparkconsole.model.logs.diagnosis import Diagnosis, LineKind, Weight
from sparkconsole.model.serve.spec import ORDER, ServeProgress, StartFailure, StartPhase, advance
from sparkconsole.parse.diagnose.explain import explain_line
from sparkconsole.parse.serve.engine_death import message, tells_of_death, tells_of_start
from sparkconsole.parse.serve.vllm_serve import first_cause, read_line

KEPT_FIRST, SHOWN = 2000, 300
"""Lines of its beginning that stay whatever follows; characters of the line that ended it."""


def finding(line: str) -> Diagnosis | None:
    """What a line is worth telling while the log grows; a cause that others follow shows only at its end."""
    found = explain_line(line)
    if found and found.kind in (LineKind.CAUSE, LineKind.FACT) and found.severity is not Weight.INFO:
        return found
    return None


class ServeLogReader:
    """Fed with a rank's log line by line, it tells how far the start is and what ended it."""

    def __init__(
        self, lines: Iterable[str] = (), *, last: int | None = None, named: Callable[[str], str] = str
    ) -> None:
        """`last`: how many lines of its end are kept beside those of its beginning; None: all.

        `named`: puts the names of nodes beside their addresses, in what is said of it.
        """
        self._named = named
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
        cause = first_cause(self.lines)
        return cause and cause.named(self._named)

    def engine_end(self) -> str:
        """`its engine died: ` with the cause, where it names one that is known; empty: it did not die."""
        if not self.death:
            return ""
        cause = self.cause()
        named = f"{cause.why}: “{cause.text}”" if cause and cause.known else f"“{self._named(self.death)}”"
        return f"its engine died: {named}"
