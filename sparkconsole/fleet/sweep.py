"""At the start and the end of a run its nodes are swept of what ended consoles of this login left there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.fleet.marks import MOST_RUNS
from sparkconsole.model.work.job import JobKind
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.remote.node.sweep import sweep

_READ_LATER = (JobKind.SERVE, JobKind.GUARD)
"""What their jobs said is asked for when they have ended by themselves."""


async def sweep_nodes(
    fleet: Fleet, journal: Journal, nodes: Iterable[str], report: Report, *, engine: bool
) -> None:
    """A line for each node where something was removed, a warning where that failed; nothing ever ends by it.

    Kept is what `runs attach` may need: everything of runs without an end.
    """
    runs = list(islice(journal.newest(), MOST_RUNS))
    keep = [name for run in runs if run.state.open for name in (run.id, *(job.id for job in run.jobs))]
    ended = [(run, job) for run in runs if not run.state.open for job in run.jobs if job.id not in keep]
    over = [job.id for run, job in ended if run.ended_by or job.kind not in _READ_LATER]
    answers = await fleet.ask(lambda shell: sweep(shell, keep, over, engine=engine), nodes)
    for node, what in answered(answers).items():
        if what:
            report(Remark(f"swept {what} that ended consoles left", node))
    for node, error in failed(answers).items():
        if not isinstance(error, Unreachable):
            report(Remark(f"not swept of what ended consoles left: {error.cause}", node, "warning"))
