"""Guards of a served model: which there are, whether one ended it, and taking them away with it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import cancel_job, forget_job, job_state
from sparkconsole.fleet.serve.log import log_lines
from sparkconsole.model.serve.engine import lead_of
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.remote.serve.guard import FIRED, guard_argv

REMEDY = "serve again with less --gpu-memory-utilization, --max-model-len or --max-num-seqs: model fit"


@dataclass(frozen=True, slots=True)
class Fired:
    """A guard that ended its server."""

    node: str
    why: str


def guards(ranks: Sequence[Job], nodes: Iterable[str], line_bytes: int) -> tuple[Job, ...]:
    """One on every node that takes part: beside a rank of its own, or beside Ray's workers."""
    lead = lead_of(ranks)
    by_node = {job.node: job.id for job in ranks}
    return tuple(_guard(lead, node, guard_argv(line_bytes, by_node.get(node, ""))) for node in nodes)


def _guard(lead: Job, node: str, argv: tuple[str, ...] = ()) -> Job:
    """Found again by the leading rank's name alone, whichever console started it."""
    name, where = f"guard-{lead.id}-{node}", {"node": node, "container": lead.container}
    return Job(id=name, kind=JobKind.GUARD, argv=argv, **where, details={"port": lead.port})


async def fired(fleet: Fleet, lead: Job, nodes: Iterable[str]) -> Fired | None:
    """The guard that ended the server, if one did; a node that cannot be asked says nothing."""
    for node in nodes:
        guard = _guard(lead, node)
        with contextlib.suppress(SparkError):
            if (await job_state(fleet, guard)).status == FIRED:
                lines = await log_lines(fleet, guard)
                return Fired(node, lines[-1] if lines else "its memory guard ended it")
    return None


async def clear_guards(fleet: Fleet, ranks: Iterable[Job], nodes: Iterable[str], report: Report) -> None:
    """Ends and removes those that there are; most servers have none."""
    leads = [job for job in ranks if not job.rank]
    for guard in (_guard(lead, node) for lead in leads for node in nodes):
        try:
            if (await job_state(fleet, guard)).known:
                await cancel_job(fleet, guard)
                await forget_job(fleet, guard)
        except SparkError as error:
            report(Remark(f"its memory guard could not be ended: {error.cause}", guard.node, "warning"))
