"""A detached job of a pretend Spark: its story, whom it keeps busy, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparkconsole.demo.spark.life import Activity
from sparkconsole.demo.stories import Story


@dataclass
class PretendJob:
    """A detached job: where its story stands is a matter of time."""

    argv: tuple[str, ...]
    story: Story
    began: float
    container: str = ""
    ended: Callable[[], None] | None = None
    status: int | None = None
    stopped: float | None = None
    spells: tuple[Activity, ...] = ()
    """What it keeps machines busy with."""
    needs: tuple[str, ...] = ()
    """Machines without which it fails."""
    dies_with: str = ""
    """What it prints when it fails for one of them."""
    last_words: str = ""
    dead: bool = False
    """Its engine died: what answers gives no token any more."""

    def end(self, status: int, now: float, last_words: str = "") -> None:
        """It ends before its story does."""
        self.status, self.stopped, self.last_words = status, now, last_words
        for spell in self.spells:
            spell.stop(now)
