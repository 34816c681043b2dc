"""What a plan brings about, looked at before it is shown: what ends with it, how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from sparkconsole.errors import SparkError
from sparkconsole.fleet.serving import servers_on
from sparkconsole.model.consequences import Consequences
from sparkconsole.model.effect import ContainerGone, ContainerStarted, Rebooted, ServerGone
from sparkconsole.model.engine import EngineLoad, LiveRank
from sparkconsole.model.job import JobKind, Run, RunState
from sparkconsole.model.launch import Backend, recalled
from sparkconsole.remote import vllm
from sparkconsole.remote.site import look
from sparkconsole.verbs.session import Deed, Session

MOST_RUNS = 200
"""So far back the journal is read for how long it took before."""
IN_CONTAINER = (JobKind.BENCH,)
"""Jobs that end with the container they run in, servers and their guards aside: those are seen themselves."""
SERVING = (JobKind.SERVE, JobKind.GUARD)


async def foretold(session: Session, words: Sequence[str], deed: Deed) -> Deed:
    """The deed with its plan's consequences; what could not be looked at is said as unknown."""
    nodes = {e.node for e in deed.effects if isinstance(e, (ContainerGone, ContainerStarted, Rebooted))}
    down = {e.node for e in deed.effects if isinstance(e, Rebooted)}
    servers = await _servers(session, deed, nodes)
    under_way = _jobs(session, nodes, down)
    seconds = _took(session, words)
    told = Consequences(
        ends=(*servers, *under_way),
        seconds=statistics.median(seconds) if seconds else None,
        runs=len(seconds),
        starts=deed.plan.title,
    )
    return replace(deed, plan=replace(deed.plan, consequences=told))


async def _servers(session: Session, deed: Deed, nodes: set[str]) -> tuple[str, ...]:
    """Each server that ends, with the requests it answers right now."""
    port = next((e.port for e in deed.effects if isinstance(e, ServerGone)), None)
    if not nodes and port is None:
        return ()
    names = [e.name for e in deed.effects if isinstance(e, (ContainerGone, ContainerStarted))]
    names += [e.container for e in deed.effects if isinstance(e, ServerGone)]
    container = next(iter(names), session.cluster.container)
    try:
        ranks = await _ranks(session, container, nodes if port is None else set(session.fleet.names))
    except SparkError as error:
        return (f"perhaps a server: {error.cause}",)
    by_port = {rank.port: rank for rank in reversed(ranks) if port in (None, rank.port)}
    return tuple([await _server(session, rank) for rank in by_port.values()])


async def _ranks(session: Session, container: str, nodes: set[str]) -> tuple[LiveRank, ...]:
    """Those on these nodes; with several nodes to a server, those on the others too."""
    answers = await session.fleet.ask(lambda shell: look(shell, container))
    running = {n: s for n, s in answers.items() if not isinstance(s, SparkError) and s.running}
    launched = [recalled(site.found.labels) for site in running.values() if site.found]
    alone = any(spec is not None and spec.backend is Backend.SOLO for spec in launched)
    if not nodes.intersection(running):
        return ()
    return await servers_on(session.fleet, container, sorted(nodes & set(running) if alone else running))


async def _server(session: Session, rank: LiveRank) -> str:
    load: EngineLoad | None = None
    with suppress(SparkError):
        load = await vllm.pulse(await session.fleet.shell(session.fleet.head), rank.port)
    return f"the server {rank.name} on port {rank.port}: {_requests(load)}"


def _requests(load: EngineLoad | None) -> str:
    if load is None or load.running is None:
        return "how many requests it answers is unknown"
    waiting = f", {load.waiting} waiting" if load.waiting else ""
    if not load.running:
        return f"no request running{waiting}"
    return f"{load.running} request{'s' * (load.running != 1)} running{waiting}"


def _jobs(session: Session, nodes: set[str], down: set[str]) -> tuple[str, ...]:
    """Work under way that needs these nodes: all of it where the machine goes down."""
    if not nodes:
        return ()
    return tuple(dict.fromkeys(_over(r) for r in _open(session) if _needs(r, nodes, down)))


def _needs(run: Run, nodes: set[str], down: set[str]) -> bool:
    return any(
        (j.node in down and j.kind not in SERVING) or (j.node in nodes and j.kind in IN_CONTAINER)
        for j in run.jobs
    )


def _over(run: Run) -> str:
    return f"{' '.join(run.words[:2])} under way ({run.id})"


def _open(session: Session) -> Iterable[Run]:
    runs = islice(session.journal.newest(), MOST_RUNS)
    return [r for r in runs if r.state in (RunState.RUNNING, RunState.UNKNOWN)]


def _took(session: Session, words: Sequence[str]) -> list[float]:
    """Seconds of the same words' earlier runs here that went well."""
    runs = islice(session.journal.newest(), MOST_RUNS)
    same = [r for r in runs if r.words[: len(words)] == tuple(words) and r.cluster == session.cluster.name]
    return [(r.ended - r.started).total_seconds() for r in same if r.ended and r.state is RunState.DONE]
