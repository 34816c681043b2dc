"""Where a model can be served, what serves now, and following a start to its proved end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sparkconsole.clock import cancelled, together
from sparkconsole.errors import Refused, SparkError, Unreachable
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.fleet.jobs import LINK_S, cancel_job, forget_job, job_state, reconnected
from sparkconsole.fleet.run_time_values import Fresh
from sparkconsole.fleet.serve.log import follow, log_lines
from sparkconsole.fleet.waiting import AGAIN_S, waiting
from sparkconsole.model.foresight.effect import ServerUp
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import LABEL_ADDRESS, Backend, LaunchSpec
from sparkconsole.model.logs.kernel import NOT_REGISTERED, why_and_remedy
from sparkconsole.model.serve.engine import LiveRank, lead_of, vllm_words
from sparkconsole.model.serve.memory_guard import USUAL_SHARE
from sparkconsole.model.serve.ranks import split_of
from sparkconsole.model.serve.spec import ServeSpec, StartFailure
from sparkconsole.model.text.units import minutes_or_seconds
from sparkconsole.model.work.job import Job
from sparkconsole.model.work.news import Advance, Output, Remark, Report
from sparkconsole.parse.serve.serve_log import ServeLogReader
from sparkconsole.parse.serve.vllm_serve import first_cause
from sparkconsole.remote.node.site import look

PROBE_S = 0.5
"""Pause between looks at a server that said it started."""
PROVE_S = 60.0
"""The first completion may still compile something."""
RANKS_S = 3.0
"""Pause between looks at the other ranks."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The containers in which a model can be served, as they were found."""

    launch: LaunchSpec
    nodes: tuple[str, ...]
    """Head first; one node for solo."""
    addresses: Mapping[str, str]
    sites: Mapping[str, Site]

    @property
    def head(self) -> str:
        """Where rank 0 runs."""
        return self.nodes[0]


async def find_stage(fleet: Fleet, container: str) -> Stage:
    """The running cluster; Refused when none runs or it is not whole, Unreachable when a node is."""
    answers = await fleet.ask(lambda shell: look(shell, container))
    sites = answered(answers)
    head = sites.get(fleet.head)
    for error in failed(answers).values():
        if head is None or not head.solo:
            raise error
    if head is None or not head.running or head.found is None:
        hint = "start one: sparkconsole launch"
        raise Refused(f"no container {container} runs", hint=hint, node=fleet.head)
    launch = head.launch or LaunchSpec(container=container, backend=Backend.SOLO)
    nodes = (fleet.head,) if launch.backend is Backend.SOLO else fleet.names
    for node in nodes:
        if not sites[node].running:
            hint = "sparkconsole launch --repair"
            raise Refused(f"its container {container} does not run", hint=hint, node=node)
    addresses = {n: s.found.labels.get(LABEL_ADDRESS, "") for n in nodes if (s := sites[n]).found}
    return Stage(launch, nodes, addresses, sites)


async def servers_on(fleet: Fleet, container: str, nodes: Sequence[str]) -> tuple[LiveRank, ...]:
    """Every `vllm serve` in the containers of these nodes, whoever started it."""
    from sparkconsole.remote.serve.processes import live_ranks

    shells = [await fleet.shell(node) for node in nodes]
    found = await together(*(live_ranks(shell, container) for shell in shells))
    return tuple(rank for ranks in found for rank in ranks)


async def ranks_on(fleet: Fleet, container: str, nodes: Sequence[str], port: int) -> tuple[LiveRank, ...]:
    """Those of them that serve on that port, or lead to it."""
    return tuple(rank for rank in await servers_on(fleet, container, nodes) if rank.port == port)


def server_up(fresh: Fresh, spec: ServeSpec, jobs: Sequence[Job], nodes: Sequence[str]) -> ServerUp:
    """What runs on `nodes` once these jobs came up; their process groups are the run's to know."""
    lead = lead_of(jobs)
    ranks = tuple(
        LiveRank(j.node, fresh.unknown(f"process group of {spec.name} on {j.node}"), vllm_words(j.argv), j.id)
        for j in jobs
    )
    count = split_of(spec, len(nodes)).ranks
    shares = dict.fromkeys(nodes[:count], spec.utilization or USUAL_SHARE)
    return ServerUp(lead.node, lead.container, spec.port, spec.name, spec.model, ranks, shares)


class ServeFailed(SparkError):
    """A server that did not start, with its first real cause."""


@dataclass(frozen=True, slots=True)
class Up:
    """A server that came up."""

    name: str
    """Under which it answers."""
    doubt: str = ""
    """Why no token could be asked of it; empty: one came back."""


async def follow_start(fleet: Fleet, jobs: Sequence[Job], report: Report) -> Up:
    """Follows every rank until a completion came back. ServeFailed with the real cause, all ranks ended."""
    lead = lead_of(jobs)
    others = [j for j in jobs if j is not lead]
    log = ServeLogReader(named=fleet.named)
    following = asyncio.create_task(_report_on(fleet, lead, log, report))
    try:
        return await _until_ready(fleet, lead, others, log, following)
    except ServeFailed:
        await _keep_logs(fleet, others, report)
        await clear(fleet, jobs, report)
        raise
    finally:
        await cancelled((following,))


async def _report_on(fleet: Fleet, lead: Job, log: ServeLogReader, report: Report) -> None:
    before = log.progress

    def still(seconds: float) -> Iterator[tuple[str, str]]:
        yield lead.node, f"{before.phase.value}: nothing new for {minutes_or_seconds(seconds)}"

    async with waiting(still, AGAIN_S, lambda node, text: report(Remark(text, node))) as wait:
        async for line in follow(fleet, lead, log):
            report(Output(lead.node, line, quiet=True))
            now = log.progress
            if now.phase is not before.phase:
                report(Remark(f"{now.phase.value} {now.detail}".strip(), lead.node))
            if now.percent is not None and now != before:
                report(Advance(lead.node, now.phase.value, now.percent, 100.0, "%"))
            if (now.phase, now.percent) != (before.phase, before.percent):
                wait.heard()
            before = now


async def _until_ready(
    fleet: Fleet, lead: Job, others: Sequence[Job], log: ServeLogReader, following: asyncio.Task[None]
) -> Up:
    looked = fleet.clock.monotonic()
    while True:
        if following.done():
            following.result()
            raise await _failure(fleet, [lead, *others], log)
        if fleet.clock.monotonic() - looked > RANKS_S:
            looked = fleet.clock.monotonic()
            await _require_ranks(fleet, lead, others, log)
            await _require_containers(fleet, lead)
        if log.ready:
            with contextlib.suppress(SparkError):
                return await _proved(fleet, lead)
        await fleet.clock.sleep(PROBE_S)


async def _proved(fleet: Fleet, lead: Job) -> Up:
    from sparkconsole.remote.serve.vllm import Declined, complete_one_token

    shell = await fleet.shell(lead.node)
    try:
        return Up(await complete_one_token(shell, int(lead.details["port"]), timeout=PROVE_S))
    except Declined as no:
        return Up(lead.served_name, f"{no.cause}; {no.hint}")


async def _keep_logs(fleet: Fleet, jobs: Sequence[Job], report: Report) -> None:
    """What the other ranks said goes into the journal before it is removed from their nodes."""
    for job in jobs:
        with contextlib.suppress(SparkError):
            for line in await log_lines(fleet, job):
                report(Output(job.node, line, quiet=True))


async def _require_ranks(fleet: Fleet, lead: Job, others: Sequence[Job], log: ServeLogReader) -> None:
    """A rank that ended, or whose node is gone, will never join."""
    for job in others:
        try:
            state = await job_state(fleet, job)
        except Unreachable as error:
            await _link_again(fleet, lead, job.node, error)
            continue
        if not state.running:
            raise await _failure(fleet, [job], log)


async def _require_containers(fleet: Fleet, lead: Job) -> None:
    """An engine waits for ever for a rank whose container ended."""
    try:
        await find_stage(fleet, lead.container)
    except Unreachable as error:
        await _link_again(fleet, lead, error.node, error)
    except Refused as ended:
        if ended.node != lead.node:  # its own container takes the server along, whose log says more
            cause = f"{ended.cause}, and the server waits for it"
            raise ServeFailed(cause, hint=ended.hint, node=ended.node) from ended
    except SparkError:
        pass  # what an engine does not say now is asked again


async def _link_again(fleet: Fleet, lead: Job, node: str, lost: Unreachable) -> None:
    """Waits for a link that broke: ranks start on meanwhile. Where nobody can end them they may come up."""
    try:
        await reconnected(fleet, node, lost.cause, LINK_S)
    except Unreachable as error:
        await job_state(fleet, lead)
        raise ServeFailed(f"a rank's node is lost: {error.cause}", node=node) from error


async def _failure(fleet: Fleet, jobs: Sequence[Job], followed: ServeLogReader) -> ServeFailed:
    """The first real cause in the logs of the ranks that ended, a named one before a guess."""
    logs: dict[str, Sequence[str]] = {}
    for job in jobs:
        with contextlib.suppress(SparkError):
            logs[job.node] = await log_lines(fleet, job)
    causes = {node: cause for node, log in logs.items() if (cause := first_cause(log))}
    causes = {node: cause.named(fleet.named) for node, cause in causes.items()}
    if not causes and (cause := followed.cause()):
        causes = {jobs[0].node: cause}
    if not causes:
        last = next((log[-1] for log in logs.values() if log), "its log is empty")
        hint, where = "sparkconsole runs show --output", jobs[0].node
        try:
            await find_stage(fleet, jobs[0].container)
        except Refused as no:  # with its container a server ends without a word
            last, hint, where = no.cause, no.hint, no.node
        except SparkError:
            pass
        return ServeFailed(f"the server ended: {last}", hint=hint, node=where)
    node, first = min(causes.items(), key=lambda item: not item[1].known)
    return ServeFailed(first.sentence, hint=await _remedy_on(fleet, node, first), node=node)


async def _remedy_on(fleet: Fleet, node: str, cause: StartFailure) -> str:
    """What to do on that node: a remedy that depends on its kernel is checked there."""
    if cause.id != NOT_REGISTERED:
        return cause.remedy
    with contextlib.suppress(SparkError):
        shell = await fleet.shell(node)
        kernel, words = await shell.run(("uname", "-r")), await shell.run(("cat", "/proc/cmdline"))
        if why := why_and_remedy(kernel.text.strip(), words.text.strip()):
            return why[1]
    return cause.remedy


async def clear(fleet: Fleet, jobs: Sequence[Job], report: Report) -> None:
    """Ends every rank and removes what it left; a node that cannot be asked is told."""
    await together(*(_clear_one(fleet, job, report) for job in jobs))


async def _clear_one(fleet: Fleet, job: Job, report: Report) -> None:
    log = f"its log stays there: sparkconsole logs job:{job.id}"
    try:
        await cancel_job(fleet, job)
        await forget_job(fleet, job)
    except Unreachable as error:
        why = f"whether rank {job.rank} ended is unknown: {error.cause}"
        report(Remark(f"{why}; {log}", job.node, "warning"))
    except SparkError as error:
        report(Remark(f"rank {job.rank} could not be ended: {error.cause}; {log}", job.node, "error"))
