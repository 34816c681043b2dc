"""Whether a server that answers is dead: one look at the logs of its ranks, for verbs that have no watch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import job_end
from sparkconsole.fleet.serve.start import servers_on
from sparkconsole.model.checks import Finding, Look, Severity
from sparkconsole.model.serve.engine import LiveRank, jobs_of
from sparkconsole.model.work.job import Job
from sparkconsole.parse.serve.engine_death import message, tells_of_death, tells_of_start
from sparkconsole.parse.serve.vllm_serve import first_cause

Looks = Mapping[str, "Look | SparkError"]
READ = 1 << 20
"""Bytes of the end of a log that are looked at."""
MOVES_S, SHOWN = 2.0, 300
"""Seconds in which a server at work generates a token; characters of the line that ended it."""
REMEDY = "sparkconsole logs serve shows what came before it; sparkconsole serve stop, then serve again"


@dataclass(frozen=True, slots=True)
class EngineDeath:
    """The node whose rank's log says it, the model, and a sentence with the line."""

    node: str
    name: str
    why: str


def death_line(lines: Iterable[str]) -> str:
    """The first line that ends the engine since the last start in this log; empty: none does."""
    found = ""
    for line in lines:
        if found and tells_of_start(line):
            found = ""
        elif not found and tells_of_death(line):
            found = line
    return found


def death_told(lines: Sequence[str], line: str) -> str:
    """`its engine died: ` with the cause, where the log names one that is known."""
    cause = first_cause(lines)
    known = cause is not None and cause.known
    return f"its engine died: {cause.why}: “{cause.text}”" if cause and known else (
        f"its engine died: “{message(line)[:SHOWN]}”"
    )  # fmt: skip


async def find_death(fleet: Fleet, container: str, nodes: Sequence[str], port: int) -> EngineDeath | None:
    """None: no rank's log says so, none can be read, or tokens come all the same."""
    return next(iter(await find_deaths(fleet, container, nodes, port)), None)


async def find_deaths(
    fleet: Fleet, container: str, nodes: Sequence[str], port: int | None = None
) -> tuple[EngineDeath, ...]:
    """The same of every server, or of the one on that port."""
    found: list[EngineDeath] = []
    ranks: Sequence[LiveRank] = ()
    with contextlib.suppress(SparkError):
        ranks = await servers_on(fleet, container, nodes)
    for job in jobs_of((r for r in ranks if port in (None, r.port)), container):
        with contextlib.suppress(SparkError):
            lines = await _end_of(fleet, job)
            if (line := death_line(lines)) and not await _moves(fleet, int(job.details["port"])):
                found.append(EngineDeath(job.node, str(job.details.get("name", "")), death_told(lines, line)))
    return tuple(found)


async def death_findings(fleet: Fleet, container: str, looks: Looks) -> tuple[Finding, ...]:
    """For `check` and `doctor`: a server that answers and gives no token."""
    running = [n for n, a in looks.items() if isinstance(a, Look) and a.site is not None and a.site.running]
    return tuple(
        Finding("engine", Severity.FAIL, d.node, f"{d.name} gives no token any more: {d.why}", REMEDY)
        for d in (await find_deaths(fleet, container, running) if running else ())
    )


async def _end_of(fleet: Fleet, job: Job) -> list[str]:
    """Whole lines: what is left of one that was cut could look like the program's own."""
    output = await job_end(fleet, job, "log", READ)
    lines = output.decode("utf-8", "replace").splitlines()
    return lines[1:] if len(output) >= READ else lines


async def _moves(fleet: Fleet, port: int) -> bool:
    """Somebody's tokens come: then the line was no end."""
    from sparkconsole.remote.serve.vllm import metrics

    shell = await fleet.shell(fleet.head)
    try:
        before = await metrics(shell, port)
        await fleet.clock.sleep(MOVES_S)
        now = await metrics(shell, port)
    except SparkError:
        return False
    return (now.generated_tokens or 0.0) > (before.generated_tokens or 0.0)
