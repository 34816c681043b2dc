"""`logs`: the containers of all nodes, merged by time, and jobs; a silent node never silences the others."""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from sparkconsole.errors import SparkError, WrongUsage
from sparkconsole.fleet.jobs import follow_job, job_file
from sparkconsole.fleet.log_sources import CommandLog, Source
from sparkconsole.model.answer import Row
from sparkconsole.model.job import Job, JobKind, RunState
from sparkconsole.verbs.registry import verb
from sparkconsole.verbs.session import Here, Session

COMMANDS = ("ray", "kernel")
"""Logs that are neither a container's nor a job's."""
WINDOW_S = 0.2
"""Lines of several nodes that come within this time are put in order by their own time."""


@verb("logs")
async def logs(
    session: Here,
    *sources: str,
    node: Annotated[str | None, Parameter(name="--node")] = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    since: str | None = None,
    tail: Annotated[int | None, Parameter(name="--tail")] = None,
    name: str | None = None,
) -> AsyncIterator[Row]:
    """Print the logs of all nodes, merged by time; -f follows them.

    Parameters
    ----------
    sources
        Node names, `serve` (the servers' own logs), `ray`, `kernel`, `nccl` (only lines that speak of it),
        or job:ID. Without any: containers, then servers.
    node
        This node only.
    follow
        Go on with what comes.
    since
        Only what is newer: a time (2026-01-31T12:00:00) or a span (10m).
    tail
        Only the last lines of each source.
    name
        Name of the containers; without it the cluster's.
    """
    named = tuple(s for s in sources if s not in COMMANDS and s != "nccl")
    commands = tuple(s for s in sources if s in COMMANDS)
    nodes, jobs = _sources(session, named, node) if named or not commands else ((), ())
    container = name or session.cluster.container
    newer = _moment(since, session.fleet.clock.now()) if since else None
    rows = _rows(session, nodes, jobs, container, follow=follow, since=newer, tail=tail)
    if commands:
        within = (_node(session, node),) if node else session.fleet.names
        logs_of = [CommandLog(n, c, container) for c in commands for n in within]
        others = [_source_rows(session, log, follow=follow, tail=tail) for log in logs_of]
        rows = _together([rows, *others]) if follow else _merged([rows, *others])
    return _speaking_of_nccl(rows) if "nccl" in sources else rows


async def _merged(streams: Sequence[AsyncIterator[Row]]) -> AsyncIterator[Row]:
    collected = await asyncio.gather(*(_all(s) for s in streams))
    for row in heapq.merge(*collected, key=_time):
        yield row


async def _source_rows(
    session: Session, source: Source, *, follow: bool, tail: int | None
) -> AsyncIterator[Row]:
    """Ray's or the kernel's log of one node; what keeps it from telling is a line too."""
    try:
        async for time, text in source.lines(session.fleet, follow=follow, tail=tail):
            data = {"node": source.node, "time": time, "source": source.name, "text": text}
            yield Row(data, f"{source.node} {source.name} │ {text}", source.node)
    except SparkError as error:
        yield _silent(source.node, f"{source.name}: {error.cause}")


async def _speaking_of_nccl(rows: AsyncIterator[Row]) -> AsyncIterator[Row]:
    async for row in rows:
        if "NCCL" in row.text:
            yield row


def _moment(text: str, now: datetime) -> str:
    """A time or a span before now, as the seconds since 1970 that Docker's API takes."""
    span = re.fullmatch(r"(\d+)([smhd])", text)
    if span:
        seconds = int(span[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[span[2]]
        return str(int(now.timestamp()) - seconds)
    try:
        return str(int(datetime.fromisoformat(text).timestamp()))
    except ValueError as error:
        raise WrongUsage(f"--since {text!r} is no time", hint="10m, 2h, or 2026-01-31T12:00:00") from error


def _sources(
    session: Session, sources: Sequence[str], node: str | None
) -> tuple[tuple[str, ...], tuple[Job, ...]]:
    """Containers by node, and jobs; WrongUsage for a word that is neither."""
    within = (_node(session, node),) if node else session.fleet.names
    nodes: list[str] = []
    jobs: list[Job] = []
    for source in sources or (*within, "serve"):
        if source == "serve":
            jobs += [j for j in _servers(session) if j.node in within]
        elif source.startswith("job:"):
            jobs.append(_job(session, source.removeprefix("job:")))
        else:
            nodes.append(_node(session, source))
    return tuple(nodes), tuple(jobs)


def _node(session: Session, word: str) -> str:
    found = session.cluster.node(word)
    if found is None:
        known = ", ".join((*session.fleet.names, "serve", *COMMANDS, "nccl", "job:ID"))
        raise WrongUsage(f"{word!r} is no node and no source", hint=f"there are {known}")
    return found.name


def _servers(session: Session) -> tuple[Job, ...]:
    open_runs = (r for r in session.journal.runs() if r.state in (RunState.RUNNING, RunState.UNKNOWN))
    return tuple(j for r in open_runs for j in r.jobs if j.kind is JobKind.SERVE)


def _job(session: Session, prefix: str) -> Job:
    jobs = {j.id: j for r in session.journal.runs() for j in r.jobs}
    hits = [j for i, j in jobs.items() if i.startswith(prefix)]
    if len(hits) != 1:
        raise WrongUsage(f"{len(hits)} jobs begin with {prefix!r}", hint="see sparkconsole runs show ID")
    return hits[0]


async def _rows(
    session: Session,
    nodes: tuple[str, ...],
    jobs: tuple[Job, ...],
    container: str,
    *,
    follow: bool,
    since: str | None,
    tail: int | None,
) -> AsyncIterator[Row]:
    streams = [container_rows(session, nodes, container, follow=follow, since=since, tail=tail)]
    streams += [_job_rows(session, job, follow=follow, tail=tail) for job in jobs]
    if follow:
        async for row in _together(streams):
            yield row
        return
    for stream in streams:
        async for row in stream:
            yield row


async def container_rows(
    session: Session,
    nodes: Sequence[str],
    container: str,
    *,
    follow: bool = False,
    since: str | None = None,
    tail: int | None = None,
) -> AsyncIterator[Row]:
    """The lines of the nodes' containers in the order of docker's time stamps."""
    streams = [_one_node(session, n, container, follow=follow, since=since, tail=tail) for n in nodes]
    if follow:
        async for row in _together(streams):
            yield row
        return
    collected = await asyncio.gather(*(_all(s) for s in streams))
    for row in heapq.merge(*collected, key=_time):
        yield row


def _time(row: Row) -> str:
    return str(row.data.get("time", ""))


async def _all(rows: AsyncIterator[Row]) -> list[Row]:
    return [row async for row in rows]


async def _one_node(
    session: Session, node: str, container: str, *, follow: bool, since: str | None, tail: int | None
) -> AsyncIterator[Row]:
    """One node's lines; what keeps it from telling is a line too."""
    from sparkconsole.remote.docker import container as find
    from sparkconsole.remote.docker import container_log

    try:
        shell = await session.fleet.shell(node)
        if await find(shell, container) is None:
            yield _silent(
                node, f"no container {container} here; logs of earlier ones: sparkconsole runs list"
            )
            return
        async for time, line in container_log(shell, container, follow=follow, since=since, tail=tail):
            yield Row({"node": node, "time": time, "text": line}, f"{node} │ {line}", node)
    except SparkError as error:
        yield _silent(node, f"{error.cause}{' — ' + error.hint if error.hint else ''}")


def _silent(node: str, why: str) -> Row:
    return Row({"node": node, "time": "", "error": why}, f"{node} ✖ {why}", node)


async def _job_rows(session: Session, job: Job, *, follow: bool, tail: int | None) -> AsyncIterator[Row]:
    try:
        if follow:
            async for line in follow_job(session.fleet, job):
                yield _job_row(job, line)
            return
        text = (await job_file(session.fleet, job, "log")).decode("utf-8", "replace")
        lines = text.splitlines()
        for line in lines[-tail:] if tail else lines:
            yield _job_row(job, line)
    except SparkError as error:
        yield _silent(job.node, f"{job.id}: {error.cause}")


def _job_row(job: Job, line: str) -> Row:
    data = {"node": job.node, "time": "", "job": job.id, "text": line}
    return Row(data, f"{job.node} {job.kind} │ {line}", job.node)


async def _together(streams: Sequence[AsyncIterator[Row]]) -> AsyncIterator[Row]:
    """Rows of all streams as they come, those of one moment in the order of their own times."""
    queue: asyncio.Queue[Row | None] = asyncio.Queue(10_000)
    pumps = [asyncio.create_task(_pump(s, queue)) for s in streams]
    open_streams = len(pumps)
    try:
        while open_streams:
            batch = [await queue.get()]
            if batch != [None]:
                await asyncio.sleep(WINDOW_S)
            while not queue.empty():
                batch.append(queue.get_nowait())
            open_streams -= batch.count(None)
            for row in sorted((r for r in batch if r is not None), key=_time):
                yield row
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(rows: AsyncIterator[Row], queue: asyncio.Queue[Row | None]) -> None:
    """Rows of one stream, then None; also when it broke, so that nobody waits for it."""
    cancelled = False
    try:
        async for row in rows:
            await queue.put(row)
    except asyncio.CancelledError:
        cancelled = True
        raise
    finally:
        if not cancelled:
            await queue.put(None)
