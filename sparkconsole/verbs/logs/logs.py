"""`logs`: the containers of all nodes, merged by time, and jobs; a silent node never silences the others."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from sparkconsole.errors import TimedOut, Unreachable, WrongUsage, exit_code_of_look
from sparkconsole.fleet.logs.merge import LogMerge, MergedLine
from sparkconsole.fleet.logs.sources import JobLog, Source
from sparkconsole.model.work.answer import Row
from sparkconsole.model.work.job import Job
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, Session
from sparkconsole.verbs.logs.sources import COMMANDS, kept_current, log_sources, speaks_of_nccl

WORDS = ("serve", "container", *COMMANDS, "nccl")
"""Sources by name; the others are nodes, and jobs by their id."""


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
        Node names, `serve` (the servers' own logs, less their answers to our polls), `container`, `ray`,
        `kernel`, `nccl` (only lines that speak of it), or job:ID. Without any: containers and servers.
    node
        This node only.
    follow
        Go on with what comes, also from servers and containers that start later; awaited nodes are named.
    since
        Only what is newer: a time (2026-01-31T12:00:00) or a span (10m).
    tail
        Only the last lines of each source.
    name
        Name of the containers; without it the cluster's.
    """
    within = (_node(session, node),) if node else session.fleet.names
    words = tuple(s for s in sources if s != "nccl") or ("all",)
    newer = _moment(since, session.fleet.clock.now()) if since else None
    named = [word.removeprefix("job:") for word in words if word.startswith("job:")]
    jobs: list[Source] = [JobLog(_job(session, prefix)) for prefix in named]
    chosen = [_chosen(session, word, within) for word in words if not word.startswith("job:")]

    def listed() -> list[Source]:
        found = [*jobs]
        for kind, nodes in chosen:
            found += log_sources(session, kind, nodes, container=name or "", since=newer)
        return list({source.key: source for source in found}.values())

    keep = speaks_of_nccl if "nccl" in sources else None
    current = kept_current(session, listed) if chosen else tuple(jobs)
    merge = LogMerge(session.fleet, current, tail=tail, keep=keep, remind=True)
    return _rows(merge, follow=follow, newer=newer)


async def _rows(merge: LogMerge, *, follow: bool, newer: str | None = None) -> AsyncIterator[Row]:
    least = datetime.fromtimestamp(float(newer), UTC) if newer else None
    if not follow:
        entries = await merge.printed()
        unseen = [e.error for e in entries if isinstance(e.error, (Unreachable, TimedOut))]
        for entry in entries:
            if least is None or entry.at >= least or entry.about_source:
                yield row(entry, exit_code=exit_code_of_look(unseen) if entry.error in unseen else 0)
        return
    async with aclosing(merge.followed()) as coming:
        async for entries in coming:
            for entry in entries:
                if least is None or entry.at >= least or entry.about_source:
                    yield row(entry)


def row(entry: MergedLine, *, exit_code: int = 0) -> Row:
    """An entry as the command line prints it: containers' lines behind their node alone.

    `exit_code`: where nobody waits for what it says is not to be seen.
    """
    source = entry.source
    data: dict[str, Any] = {"node": source.node, "time": entry.time, "source": source.name}
    if isinstance(source, JobLog):
        data["job"] = source.job.id
    if entry.about_source:
        hint = f" — {entry.error.hint}" if entry.error and entry.error.hint else ""
        key = "error" if entry.error else "note"
        mark = "✖" if entry.error else "·"
        if exit_code:
            data["exit"] = exit_code
        return Row({**data, key: entry.text + hint}, f"{source.node} {mark} {entry.text}{hint}", source.node)
    where = source.node if source.name == "container" else f"{source.node} {source.name}"
    return Row({**data, "text": entry.text}, f"{where} │ {entry.text}", source.node)


def container_rows(session: Session, nodes: Sequence[str], container: str) -> AsyncIterator[Row]:
    """The containers' lines as they come, until every one of them ended; lost connections are waited for."""
    sources = log_sources(session, "container", nodes, container=container)
    return _rows(LogMerge(session.fleet, sources, remind=True, lasting=False), follow=True)


def _chosen(session: Session, word: str, within: Sequence[str]) -> tuple[str, Sequence[str]]:
    """A kind of source and its nodes; WrongUsage for a word that is neither."""
    if word in (*WORDS, "all"):
        return word, within
    return "all", (_node(session, word),)


def _moment(text: str, now: datetime) -> str:
    """A time or a span before now, as the seconds since 1970 that Docker's API takes."""
    span = re.fullmatch(r"(\d+)([smhd])", text)
    try:
        if span:
            seconds = int(span[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[span[2]]
            return str(int((now - timedelta(seconds=seconds)).timestamp()))
        return str(int(datetime.fromisoformat(text).timestamp()))
    except (ValueError, OverflowError) as error:
        raise WrongUsage(f"--since {text!r} is no time", hint="10m, 2h, or 2026-01-31T12:00:00") from error


def _node(session: Session, word: str) -> str:
    found = session.cluster.node(word)
    if found is None:
        known = ", ".join((*session.fleet.names, *WORDS, "job:ID"))
        raise WrongUsage(f"{word!r} is no node and no source", hint=f"there are {known}")
    return found.name


def _job(session: Session, prefix: str) -> Job:
    jobs = {j.id: j for r in session.journal.runs() for j in r.jobs}
    hits = [j for i, j in jobs.items() if i.startswith(prefix)]
    if len(hits) != 1:
        raise WrongUsage(f"{len(hits)} jobs begin with {prefix!r}", hint="see sparkconsole runs show ID")
    return hits[0]
