"""The journal as a list, read as far as it is asked for: what has ended is read once and kept as a line."""

from __future__ import annotations

from pathlib import Path

from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.work.job import Run
from sparkconsole.model.work.run_line import RunLine, run_line

TAIL_BYTES = 2_000_000


class RunList:
    """`look` blocks on the disk; call it in a thread. Only one look at a time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lines: dict[str, RunLine] = {}
        self.total = 0
        """Runs that the journal has, read or not."""
        self.unreadable: tuple[Path, ...] = ()
        """Files that are torn or foreign."""

    def look(self, most: int) -> tuple[RunLine, ...]:
        """The newest `most` runs, newest first. Ids begin with the time of their run, in UTC."""
        names = sorted(self._journal.names(), reverse=True)
        self.total = len(names)
        torn = []
        for name in names[:most]:
            if (known := self._lines.get(name)) is None or not known.over:
                try:
                    self._lines[name] = run_line(self._journal.read(name))
                except FileNotFoundError:
                    continue
                except (OSError, ValueError):
                    torn.append(self._journal.folder / f"{name}.json")
        self.unreadable = tuple(torn)
        found = [self._lines[name] for name in names[:most] if name in self._lines]
        return tuple(sorted(found, key=lambda line: (line.started, line.id), reverse=True))

    def run(self, name: str) -> Run | None:
        """All that is kept of a run; None when it is not there or cannot be read."""
        try:
            return self._journal.read(name)
        except (OSError, ValueError):
            return None

    def output(self, name: str) -> list[str]:
        """The last lines that a run printed; none when it printed nothing."""
        try:
            size, tail = self._journal.end_of_output(name, TAIL_BYTES)
        except OSError:
            return []
        lines = tail.decode("utf-8", "replace").splitlines()
        return lines if size <= TAIL_BYTES else ["… earlier output is in the journal", *lines[1:]]
