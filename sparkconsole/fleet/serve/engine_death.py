"""Whether a server that answers is dead: one look at the logs of its ranks, for verbs that have no watch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.serve.hang_probe import MOVES_S
from sparkconsole.fleet.serve.log import last_lines
from sparkconsole.fleet.serve.start import servers_on
from sparkconsole.model.checks import Finding, Look, Severity
from sparkconsole.model.serve.engine import LiveRank, jobs_of
from sparkconsole.parse.serve.serve_log import ServeLogReader

Looks = Mapping[str, "Look | SparkError"]
REMEDY = "sparkconsole logs serve shows what came before it; sparkconsole serve stop, then serve again"


@dataclass(frozen=True, slots=True)
class EngineDeath:
    """The node whose rank's log says it, the model, and a sentence with the line."""

    node: str
    name: str
    why: str


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
            log = ServeLogReader(await last_lines(fleet, job), named=fleet.named)
            if log.death and not await _moves(fleet, int(job.details["port"])):
                found.append(EngineDeath(job.node, job.served_name, log.engine_end()))
    return tuple(found)


async def death_findings(fleet: Fleet, container: str, looks: Looks) -> tuple[Finding, ...]:
    """For `check` and `doctor`: a server that answers and gives no token."""
    running = [n for n, a in looks.items() if isinstance(a, Look) and a.site is not None and a.site.running]
    return tuple(
        Finding("engine", Severity.FAIL, d.node, f"{d.name} gives no token any more: {d.why}", REMEDY)
        for d in (await find_deaths(fleet, container, running) if running else ())
    )


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
