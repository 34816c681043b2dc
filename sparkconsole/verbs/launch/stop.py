"""`stop`: the containers of every node, with what came of it read back from each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.fleet.jobs import cancel_job, forget_job, job_state
from sparkconsole.fleet.launch.stop import Stop, StopResult, stop_nodes
from sparkconsole.model.foresight.effect import ContainerGone
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import LaunchSpec, recalled
from sparkconsole.model.launch.steps import stop_plan
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import Job, JobKind, Run, RunState
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.node.site import look
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session

_SERVING = (JobKind.SERVE, JobKind.GUARD)


@verb("stop", tier=Tier.RECOVERABLE)
async def stop(session: Here, *, name: str | None = None) -> Answer | PlannedAction:
    """Stop the cluster: its servers, then its containers, on every node that answers.

    Per node it says stopped, was not running, or unreachable, from what was read back. The containers' logs
    are kept in the journal.

    Parameters
    ----------
    name
        Name of the containers; without it the cluster's.
    """
    container = name or session.cluster.container
    answers = await session.fleet.ask(lambda shell: look(shell, container))
    sites, lost = answered(answers), failed(answers)
    found = [node for node, site in sites.items() if site.found is not None]
    if not found:
        free = {node: site.available_bytes for node, site in sites.items()}
        idle = (Stop(node, StopResult.NOT_RUNNING, "", memory, memory) for node, memory in free.items())
        return outcome(container, (*idle, *_unknown(lost)))
    notes = tuple(f"{node}: {error.cause}; not stopped" for node, error in lost.items())
    plan = stop_plan(container, found, notes=notes)

    async def execute(report: Report) -> Answer:
        # The memory as it was while the servers still ran: they end first, and most of it was theirs.
        before = answered(await session.fleet.ask(lambda shell: look(shell, container), sites))
        runs = await _end_servers(session, container, report)
        stops = await stop_nodes(session.fleet, plan, container, report, nodes=sites, ports=_ports(sites))
        await _forget(session, runs, stops, report)
        free = {node: site.available_bytes for node, site in before.items()}
        since = (replace(s, before_bytes=free.get(s.node, s.before_bytes)) for s in stops)
        return outcome(container, (*since, *_unknown(lost)))

    ports = frozenset(_ports(sites))
    return PlannedAction(plan, execute, tuple(ContainerGone(node, container, ports) for node in found))


def outcome(container: str, stops: tuple[Stop, ...]) -> Answer:
    """One line a node; exit 3 when a node is unknown, 1 when something is left."""
    results = {s.result for s in stops}
    code = 1 if StopResult.FAILED in results else 3 if StopResult.UNREACHABLE in results else 0
    rows, nodes = [], []
    for s in stops:
        stopped = s.result is StopResult.STOPPED
        memory = f"{size(s.before_bytes)} → {size(s.after_bytes)}" if stopped else None
        rows.append((s.node, s.result.value, memory, s.why or None))
        node: dict[str, object] = {"node": s.node, "result": s.result.name.lower(), "why": s.why}
        node |= {"available_before": s.before_bytes, "available_after": s.after_bytes}
        nodes.append(node | {"processes_left": s.processes_left, "ports_taken": list(s.ports_taken)})
    sheet = Sheet.of(("node", container, "memory available", "remark"), rows)
    return Answer({"container": container, "nodes": nodes}, (sheet,), code)


def _unknown(lost: Mapping[str, SparkError]) -> tuple[Stop, ...]:
    """A node that does not answer is unknown; one whose docker refuses us has failed."""
    return tuple(
        Stop(node, StopResult.UNREACHABLE if error.exit_code == 3 else StopResult.FAILED, error.cause)
        for node, error in lost.items()
    )


def _ports(sites: Mapping[str, Site]) -> tuple[int, ...]:
    """The ports that what runs there has; the defaults where its labels say nothing."""
    specs = (recalled(s.found.labels) for s in sites.values() if s.found is not None)
    return next((s for s in specs if s is not None), LaunchSpec()).ports()


async def _end_servers(session: Session, container: str, report: Report) -> list[tuple[Run, Job]]:
    """Servers in these containers end first, so that their logs end with a reason."""
    found = _servers(session, container)
    for run, job in found:
        try:
            if run.state is RunState.DONE and not (await job_state(session.fleet, job)).known:
                continue  # serve stop, or an earlier stop, ended and forgot it
            await cancel_job(session.fleet, job)
            report(Remark(f"ended {job.id}", job.node))
        except SparkError as error:
            report(Remark(f"could not end {job.id}: {error.cause}", job.node, "warning"))
    return found


def _servers(session: Session, container: str) -> list[tuple[Run, Job]]:
    """Starts that are open, and of those that came up the newest on each port: that one may still serve."""
    found: list[tuple[Run, Job]] = []
    ports: set[object] = set()
    for run in session.journal.runs():
        serving = (job for job in run.jobs if job.kind in _SERVING and job.container == container)
        jobs = [job for job in serving if job.node in session.fleet.names]
        newest = run.state is RunState.DONE and not ports.issuperset(j.details.get("port") for j in jobs)
        if newest or run.state.open:
            found += [(run, job) for job in jobs]
            ports.update(job.details.get("port") for job in jobs)
    return found


async def _forget(
    session: Session, found: list[tuple[Run, Job]], stops: tuple[Stop, ...], report: Report
) -> None:
    """Runs that no console minds any more are closed, once all their jobs are over with their containers."""
    stopped = {s.node for s in stops if s.result is StopResult.STOPPED}
    ours = (RunState.UNKNOWN, RunState.DONE)
    over = [(run, job) for run, job in found if run.state in ours and job.node in stopped]
    for _, job in over:
        try:
            await forget_job(session.fleet, job)
        except SparkError as error:
            report(Remark(f"could not remove {job.id}: {error.cause}", job.node, "warning"))
    ended = {job.id for _, job in over}
    for run in {run.id: run for run, _ in over}.values():
        if run.state is RunState.UNKNOWN and ended.issuperset(job.id for job in run.jobs):
            session.journal.end(run, RunState.CANCELLED, 130, outcome={"ended by": "stop"})
