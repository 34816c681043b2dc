"""Which deed of ours explains that something ended just now: asked of the journal, at that moment only."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

from sparkconsole.clock import Clock
from sparkconsole.fleet.journal.journal import Journal, this_console
from sparkconsole.model.foresight.own_actions import Touch, own_action, recalled_action
from sparkconsole.model.work.job import Run, RunState

LATE_S = 30.0
"""So long after its end what a deed ended may come to light: a connection is missed after ten seconds."""
MOST_RUNS = 50


class OwnActions:
    """`on_nodes` for what is on nodes, `ended` for a job."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock

    def on_nodes(self, what: Touch, nodes: Iterable[str], alive_s: float = math.inf) -> str:
        """`node restart spark-02, by you at 12:03:04`; empty: nobody of us ended it.

        `alive_s`: how long it had been there: what began after a deed was not ended by it.
        """
        wanted = {(what.value, node) for node in nodes}
        for run in islice(self._journal.newest(), MOST_RUNS):
            lived = (self._clock.now() - run.started).total_seconds() > alive_s
            if not lived and self._now(run) and wanted & {tuple(t) for t in run.plan.get("touches", ())}:
                return own_action(run).text(this_console())
        return ""

    def ended(self, job: str) -> str:
        """The same for what a job of ours started, a server or other work."""
        for run in islice(self._journal.newest(), MOST_RUNS):
            if any(j.id == job for j in run.jobs):
                with suppress(OSError, ValueError):
                    action = recalled_action(run.ended_by)
                    return ended_by(run) if action and self._now(self._journal.read(action.run)) else ""
                break
        return ""

    def _now(self, run: Run) -> bool:
        """It is under way, or was until just now; one whose console is gone is not known to do anything."""
        if run.ended is None:
            return run.state is RunState.RUNNING
        return (self._clock.now() - run.ended).total_seconds() <= LATE_S


def ended_by(run: Run) -> str:
    """Which deed of ours ended what this run had started; empty: none."""
    action = recalled_action(run.ended_by)
    return action.text(this_console()) if action else ""
