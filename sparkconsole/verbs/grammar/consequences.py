"""What a plan brings about, looked at before it is shown: what ends with it, how long it takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from sparkconsole.errors import SparkError
from sparkconsole.fleet.journal.journal import this_console
from sparkconsole.fleet.marks import nodes_changed, under_way
from sparkconsole.fleet.serve.start import servers_on
from sparkconsole.model.foresight.effect import (
    Anything,
    ContainerGone,
    ContainerStarted,
    Rebooted,
    ServerGone,
)
from sparkconsole.model.foresight.own_actions import ends_run, touched
from sparkconsole.model.launch.spec import Backend, LaunchSpec, recalled
from sparkconsole.model.serve.engine import EngineLoad, LiveRank
from sparkconsole.model.work.consequences import Consequences
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.remote.node.site import look
from sparkconsole.remote.serve import vllm
from sparkconsole.verbs.grammar.session import PlannedAction, Session

MOST_RUNS = 200
"""So far back the journal is read for how long it took before."""


async def with_consequences(session: Session, words: Sequence[str], action: PlannedAction) -> PlannedAction:
    """The deed with its plan's consequences; what could not be looked at is said as unknown."""
    nodes = {e.node for e in action.effects if isinstance(e, (ContainerGone, ContainerStarted, Rebooted))}
    empty: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    ranks: tuple[LiveRank, ...] = ()
    try:
        launched = await _launched(session, action, nodes)
        empty = tuple(sorted(nodes - set(launched)))
        ranks = await _ranks(session, action, nodes, launched)
        by_port = {rank.port: rank for rank in reversed(ranks)}
        servers = tuple([await _server(session, rank) for rank in by_port.values()])
    except SparkError as error:
        servers = (f"perhaps a server: {error.node or 'a node'} cannot be asked: {error.cause}",)
    serving = tuple(f"{rank.node}:{rank.port}" for rank in ranks)
    seconds = _past_durations(session, words)
    consequences = Consequences(
        ends=(*servers, *_under_way(session, touched(action.effects, empty, serving))),
        unknown="; ".join(e.why for e in action.effects if isinstance(e, Anything)),
        moves=action.plan.moves,
        seconds=statistics.median(seconds) if seconds else None,
        runs=len(seconds),
        starts=action.plan.title,
        empty=empty,
        serving=serving,
    )
    changed = nodes_changed(action.plan, action.effects)
    notes = (*await under_way(session.fleet, session.journal, changed), *action.plan.notes)
    return replace(action, plan=replace(action.plan, notes=notes, consequences=consequences))


Launched = dict[str, LaunchSpec | None]
"""Where a container of the cluster runs, and how it was launched, as far as it says."""


def _container(session: Session, action: PlannedAction) -> str:
    names = [e.name for e in action.effects if isinstance(e, (ContainerGone, ContainerStarted))]
    names += [e.container for e in action.effects if isinstance(e, ServerGone)]
    return next(iter(names), session.cluster.container)


async def _launched(session: Session, action: PlannedAction, nodes: set[str]) -> Launched:
    """SparkError where a node that is touched cannot be asked: what runs there is unknown."""
    if not nodes and not any(isinstance(e, ServerGone) for e in action.effects):
        return {}
    container = _container(session, action)
    answers = await session.fleet.ask(lambda shell: look(shell, container))
    for node, answer in answers.items():
        if node in nodes and isinstance(answer, SparkError):
            raise answer
    running = {n: s for n, s in answers.items() if not isinstance(s, SparkError) and s.running}
    return {n: recalled(site.found.labels) if site.found else None for n, site in running.items()}


async def _ranks(
    session: Session, action: PlannedAction, nodes: set[str], launched: Launched
) -> tuple[LiveRank, ...]:
    """All of each server that ends: with several nodes to a server, those on the others end too."""
    port = next((e.port for e in action.effects if isinstance(e, ServerGone)), None)
    alone = any(spec is not None and spec.backend is Backend.SOLO for spec in launched.values())
    where = set(launched) if port is not None else nodes & set(launched)
    if not where:
        return ()
    found = await servers_on(session.fleet, _container(session, action), sorted(where if alone else launched))
    return tuple(rank for rank in found if port in (None, rank.port))


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


def _under_way(session: Session, touches: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Builds, copies, downloads, benchmarks and whatever else does not outlive it."""
    runs = islice(session.journal.newest(), MOST_RUNS if touches else 0)
    return tuple(dict.fromkeys(_over(r) for r in runs if r.state.open and ends_run(touches, r)))


def _over(run: Run) -> str:
    title = str(run.plan.get("title") or "") or " ".join(run.words)
    mine = run.console == this_console()
    whose = "" if mine else f", of another console ({run.console.host}, process {run.console.pid})"
    gone = ", whose console is gone" if run.state is RunState.UNKNOWN else whose
    return f"{' '.join(run.words[:2])} under way: {title} ({run.id}{gone})"


def _past_durations(session: Session, words: Sequence[str]) -> list[float]:
    """Seconds of the same words' earlier runs here that went well."""
    runs = islice(session.journal.newest(), MOST_RUNS)
    same = [r for r in runs if r.words[: len(words)] == tuple(words) and r.cluster == session.cluster.name]
    return [(r.ended - r.started).total_seconds() for r in same if r.ended and r.state is RunState.DONE]
