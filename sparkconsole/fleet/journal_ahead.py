"""The journal as earlier lines of a script would leave it: their runs come first; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator

from sparkconsole.fleet.journal import Journal
from sparkconsole.model.work.job import Run


class JournalAhead(Journal):
    """A journal that is read only, with runs in it that are yet to be."""

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
