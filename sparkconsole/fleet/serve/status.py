"""How a served model stands, by looking at containers, processes and a completion; never by memory."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from sparkconsole.errors import UNSEEN, SparkError, TimedOut, Unreachable
from sparkconsole.fleet.fleet import Fleet, answered, failed
from sparkconsole.fleet.jobs import job_state
from sparkconsole.fleet.serve.engine_death import REMEDY, find_death
from sparkconsole.fleet.serve.hang_probe import why_no_token
from sparkconsole.fleet.serve.log import log_lines
from sparkconsole.fleet.serve.start import ranks_on
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.engine import jobs_of
from sparkconsole.model.serve.spec import StartFailure
from sparkconsole.model.work.job import Job
from sparkconsole.parse.serve.serve_log import ServeLogReader
from sparkconsole.remote.node.site import look
from sparkconsole.remote.shell import Shell

TOKEN_S = 20.0
"""A server that cannot complete one token in this time is stuck."""


class ServerCondition(StrEnum):
    """What was seen."""

    READY = "ready"
    UNPROVED = "unproved"
    LOADING = "loading"
    WEDGED = "wedged"
    FAILED = "failed"
    LOST = "lost"
    UNKNOWN = "unknown"
    ABSENT = "not running"


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One look at a served model."""

    state: ServerCondition
    detail: str = ""
    model: str = ""
    node: str = ""
    """The node that is the trouble."""
    remedy: str = ""
    unreachable: bool = False
    nodes: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 ready, 3 when a node cannot be reached, 5 when one did not say, 1 otherwise."""
        if self.unreachable:
            return Unreachable.exit_code
        return {ServerCondition.READY: 0, ServerCondition.UNKNOWN: UNSEEN}.get(self.state, 1)


async def serve_status(fleet: Fleet, container: str, port: int, jobs: Sequence[Job]) -> ServerStatus:
    """Looks at every node, then at the server. A node that cannot be asked is unknown, never stopped."""
    answers = await fleet.ask(lambda shell: look(shell, container))
    sites, wrong = answered(answers), failed(answers)
    nodes = {n: _seen_text(sites[n]) if n in sites else _unknown_text(wrong[n]) for n in fleet.names}
    needed = _needed(fleet, sites, jobs)
    running = {n: sites[n] for n in needed if n in sites and sites[n].running}
    found = _without_node(fleet.head, container, needed, answers)
    return replace(found or await _server(fleet, port, jobs, container, running), nodes=nodes)


def _without_node(
    head: str, container: str, needed: Sequence[str], seen: Mapping[str, Site | SparkError]
) -> ServerStatus | None:
    """What follows from a node alone that it needs; None: the server itself has to be asked."""
    some_run = any(isinstance(site, Site) and site.running for site in seen.values())
    for node in needed:
        site = seen[node]
        if isinstance(site, SparkError):
            return _unknown(node, site)
        if not site.running and some_run:
            remedy = "sparkconsole launch --repair, then serve again"
            why = f"its container {container} is gone"
            return ServerStatus(ServerCondition.LOST, why, node=node, remedy=remedy)
    first = seen[head]
    if isinstance(first, SparkError) or not first.running:
        return ServerStatus(ServerCondition.ABSENT, f"no container {container} runs")
    return None


def _unknown(node: str, error: SparkError) -> ServerStatus:
    lost = isinstance(error, Unreachable)
    return ServerStatus(ServerCondition.UNKNOWN, error.cause, "", node, error.hint, lost)


def _needed(fleet: Fleet, sites: Mapping[str, Site], jobs: Sequence[Job]) -> tuple[str, ...]:
    """With Ray every node of the cluster takes part, without it those that have a rank; alone, the head."""
    head = sites.get(fleet.head)
    if head is not None and head.solo:
        return (fleet.head,)
    ranked = {fleet.head, *(job.node for job in jobs)}
    launch = head.launch if head else None
    if jobs and launch is not None and launch.backend is Backend.NONE:
        return tuple(n for n in fleet.names if n in ranked)
    return fleet.names


def _unknown_text(error: SparkError) -> str:
    """A node that nobody reaches, or one whose docker did not say."""
    return f"{'unreachable' if isinstance(error, Unreachable) else 'unknown'}: {error.cause}"


def _seen_text(site: Site) -> str:
    if site.found is None:
        return "no container"
    return "running" if site.found.running else f"ended with {site.found.exit_code}"


async def _server(
    fleet: Fleet, port: int, jobs: Sequence[Job], container: str, sites: Mapping[str, Site]
) -> ServerStatus:
    from sparkconsole.remote.serve.vllm import healthy

    shell = await fleet.shell(fleet.head)
    if not await healthy(shell, port):
        return await _unanswered(fleet, port, jobs, container, tuple(sites))
    if death := await find_death(fleet, container, tuple(sites), port):
        return ServerStatus(ServerCondition.FAILED, death.why, death.name, death.node, REMEDY)
    return await _proved(fleet, port, container, sites, shell)


async def _proved(
    fleet: Fleet, port: int, container: str, sites: Mapping[str, Site], shell: Shell
) -> ServerStatus:
    """A token is what shows that it serves."""
    from sparkconsole.remote.serve.vllm import Declined, complete_one_token

    try:
        name = await complete_one_token(shell, port, timeout=TOKEN_S)
        return ServerStatus(ServerCondition.READY, f"port {port}{await _load(shell, port)}", name)
    except Declined as no:
        return ServerStatus(ServerCondition.UNPROVED, no.cause, remedy=no.hint)
    except TimedOut:
        return await _wedged(fleet, port, container, sites)
    except Unreachable as error:
        return _unknown(fleet.head, error)
    except SparkError as error:
        return ServerStatus(ServerCondition.WEDGED, error.cause, remedy="sparkconsole logs")


async def _wedged(fleet: Fleet, port: int, container: str, sites: Mapping[str, Site]) -> ServerStatus:
    """With the node to suspect, as far as one look tells."""
    late = f"it answers /health, but no token came within {TOKEN_S:.0f} s"
    hang = await why_no_token(fleet, container, port, sites, late_s=TOKEN_S)
    if hang is None:
        remedy = "sparkconsole logs, then serve stop and serve again"
        return ServerStatus(ServerCondition.WEDGED, late, remedy=remedy)
    return ServerStatus(ServerCondition.WEDGED, f"{late}; {hang.cause}", node=hang.node, remedy=hang.look_at)


async def _load(shell: Shell, port: int) -> str:
    from sparkconsole.remote.serve.vllm import metrics

    with contextlib.suppress(SparkError):
        text = (await metrics(shell, port)).text()
        return f", {text}" if text else ""
    return ""


async def _unanswered(
    fleet: Fleet, port: int, jobs: Sequence[Job], container: str, nodes: Sequence[str]
) -> ServerStatus:
    """Nobody answers: a server loads, whoever started it; or the last start failed; or there is none."""
    ranks = await ranks_on(fleet, container, nodes, port)
    for job in reversed(jobs_of(ranks, container)):
        with contextlib.suppress(SparkError):
            return _under_way(ServeLogReader(await log_lines(fleet, job)), job)
    if ranks:
        by_hand = f"{ranks[0].name} was started by hand and does not answer yet"
        return ServerStatus(ServerCondition.LOADING, by_hand, ranks[0].name, ranks[0].node)
    return await _ended(fleet, jobs)


async def _ended(fleet: Fleet, jobs: Sequence[Job]) -> ServerStatus:
    for job in sorted(jobs, key=lambda j: j.rank):
        state = await job_state(fleet, job)
        if not state.known:
            continue
        log = ServeLogReader(named=fleet.named)
        with contextlib.suppress(SparkError):
            log = ServeLogReader(await log_lines(fleet, job), named=fleet.named)
        if state.running:
            return _under_way(log, job)
        if cause := log.cause():
            return _failed(job, cause)
        return ServerStatus(ServerCondition.FAILED, f"it ended with status {state.status}", node=job.node)
    return ServerStatus(ServerCondition.ABSENT, "no server answers")


def _failed(job: Job, cause: StartFailure) -> ServerStatus:
    return ServerStatus(ServerCondition.FAILED, cause.sentence, node=job.node, remedy=cause.remedy)


def _under_way(log: ServeLogReader, job: Job) -> ServerStatus:
    """A server that had come up and answers no more died, though its process may take long to end."""
    progress = log.progress
    if log.ready and (cause := log.cause()):
        return _failed(job, cause)
    percent = f" {progress.percent:.0f} %" if progress.percent is not None else ""
    detail = f"{progress.phase.value}{percent} {progress.detail}".strip()
    return ServerStatus(ServerCondition.LOADING, detail, job.served_name)
