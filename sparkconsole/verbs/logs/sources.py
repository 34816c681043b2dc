"""Which logs there are to read: the one list of sources that `logs` and every view of the console take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from sparkconsole.fleet.logs.sources import CommandLog, ContainerLog, JobLog, Source
from sparkconsole.model.serve.spec import ServeSpec
from sparkconsole.model.work.job import Job, JobKind, Run
from sparkconsole.verbs.grammar.session import Session

COMMANDS = ("ray", "kernel")
"""Logs that are neither a container's nor a job's."""
KINDS = ("all", "serve", "container", "ray", "nccl", "kernel")
"""`all` is containers and servers; `nccl` is what speaks of it in them."""
PORT = ServeSpec.model_fields["port"].default
RUNS = 100
"""So far back the journal is read for starts of servers."""


def log_sources(
    session: Session, kind: str, nodes: Sequence[str], *, container: str = "", since: str | None = None
) -> list[Source]:
    """The logs of one of KINDS on these nodes. `since`: what Docker's API takes, see `container_log`."""
    name = container or session.cluster.container
    found: list[Source] = []
    if kind in COMMANDS:
        found += [CommandLog(node, kind, name) for node in nodes]
    if kind in ("all", "container", "nccl"):
        found += [ContainerLog(node, name, newer=since) for node in nodes]
    if kind in ("all", "serve", "nccl"):
        found += server_sources(session, nodes)
    return found


def server_sources(session: Session, nodes: Sequence[str]) -> list[Source]:
    """The servers' own logs: every rank, on these nodes, of the newest start on each port."""
    return [JobLog(job) for job in server_jobs(session) if job.node in nodes]


def server_jobs(session: Session) -> tuple[Job, ...]:
    """The ranks of the newest start on each port of this cluster; none when somebody started it by hand.

    However its run stands: that of a ready server is done, and one that failed or was stopped has a log too,
    as long as nothing newer was started.
    """
    passed: set[int] = set()
    jobs: list[Job] = []
    name = session.cluster.name
    runs = (run for run in session.journal.newest() if not run.cluster or run.cluster == name)
    for run in islice(runs, RUNS):
        ended = _stopped_port(run)
        if jobs and ended is not None:
            if not ended:
                break
            passed.add(ended)
        fresh = {_port(j) for j in _ranks(run)} - passed
        jobs += [j for j in _ranks(run) if _port(j) in fresh]
        passed |= fresh
    return tuple(jobs)


def _stopped_port(run: Run) -> int | None:
    """The port whose server the run ended, 0 for all of them, None when it ended none."""
    if run.words[:1] == ("stop",):
        return 0
    if run.words[:2] != ("serve", "stop"):
        return None
    words = " ".join(run.words).replace("=", " ").split()
    after = words[words.index("--port") + 1 :] if "--port" in words else []
    return int(after[0]) if after and after[0].isdecimal() else PORT


def _port(job: Job) -> int:
    return int(job.details.get("port", PORT))


def _ranks(run: Run) -> Iterator[Job]:
    return (job for job in run.jobs if job.kind is JobKind.SERVE)


def kept_current(session: Session, choose: Callable[[], Sequence[Source]]) -> Callable[[], Sequence[Source]]:
    """`choose`, asked again only when the journal or the cluster changed: it is called every few seconds."""
    known: tuple[object, Sequence[Source]] = (None, ())

    def current() -> Sequence[Source]:
        nonlocal known
        of = (session.journal.changed(), session.fleet.names)
        if known[0] != of:
            known = (of, choose())
        return known[1]

    return current


def speaks_of_nccl(text: str) -> bool:
    """A line that `nccl` keeps."""
    return "NCCL" in text
