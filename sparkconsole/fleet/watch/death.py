"""What ended a server whose API answers on: a line of its own logs, or a rank that is gone.

`/health`, `/metrics` and the API's process outlive an engine by minutes. Only tokens that come afterwards are
stronger: then the line was somebody's quotation, or the container no part of the server.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from sparkconsole.errors import SparkError
from sparkconsole.fleet.watch.hang import Roll
from sparkconsole.fleet.watch.serve_log import FollowedLog
from sparkconsole.model.serve.hang import GONE, Trouble, troubles
from sparkconsole.model.work.job import JobState
from sparkconsole.parse.serve.serve_log import ServeLogReader

STOPPED = (130, 143)
"""Ends of a server that somebody asked to end; one whose engine died ends with 0 too."""
PROVED = 10
"""Looks in a row with new tokens that prove it: the first one's may have come before the end."""


class Deaths:
    """Asked at every answer, and at once when a log's line says it."""

    def __init__(self, roll: Roll) -> None:
        self._roll, self._moved = roll, 0

    def forget(self) -> None:
        """Another server, or none."""
        self._moved = 0

    def line(self, logs: Mapping[str, FollowedLog]) -> str:
        """The cause that a log names, or the line that says that the engine died; empty: none does."""
        return next((end for one in logs.values() if (end := one.reader.engine_end())), "")

    async def ended_rank(self, logs: Mapping[str, FollowedLog]) -> str:
        """Without Ray a rank is a job of its own, which ends with it."""
        for log in (log for log in logs.values() if log.ended and log.job.rank):
            with suppress(SparkError):  # a node that cannot be asked is unknown
                state = await log.end()
                if state.known and not state.running:
                    return f"its rank {log.job.rank} on {log.job.node} ended with status {state.status}"
        return ""

    def rank_gone(self, ranks: int) -> Trouble | None:
        """A node without which it cannot serve lost its container; None also where it is not reached."""
        if ranks < 2 or ranks < self._roll.serving:
            return None
        return next((t for t in troubles(self._roll.signs()) if t.id == GONE), None)

    def proved_wrong(self, logs: Collection[FollowedLog], *, moved: bool) -> bool:
        """Called at every look at a server that is called dead; True: tokens come, so it is not."""
        self._moved = self._moved + 1 if moved else 0
        if self._moved < PROVED:
            return False
        self._moved = 0
        for log in logs:
            log.reader.death = ""
        self._roll.proved()
        return True


def verdict(state: JobState, log: ServeLogReader) -> str:
    """Why it failed; empty: it was ended. Who followed the start may have cleared the job away already."""
    cause = log.cause()
    if not state.known:
        return cause.sentence if cause and cause.known and not log.ready else ""
    if state.status in STOPPED:
        return ""
    if state.status == 0 and not (cause and cause.known):
        return log.engine_end()
    return cause.sentence if cause else f"it ended with status {state.status}"
