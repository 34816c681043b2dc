"""How a served model stands, by looking at containers, processes and a completion; never by memory."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sparkconsole.errors import SparkError, TimedOut
from sparkconsole.fleet.fleet import Fleet, failed, told
from sparkconsole.fleet.jobs import job_file, job_state
from sparkconsole.fleet.serving import cause_text
from sparkconsole.model.job import Job
from sparkconsole.model.launch import Backend, recalled
from sparkconsole.model.serve import ServeProgress, advance
from sparkconsole.model.site import Site
from sparkconsole.parse.vllm_serve import first_cause, read_line
from sparkconsole.remote.site import look

TOKEN_S = 20.0
"""A server that cannot complete one token in this time is stuck."""


class State(StrEnum):
    """What was seen."""

    READY = "ready"
    LOADING = "loading"
    WEDGED = "wedged"
    FAILED = "failed"
    LOST = "lost"
    ABSENT = "not running"


@dataclass(frozen=True, slots=True)
class Standing:
    """One look at a served model."""

    state: State
    detail: str = ""
    model: str = ""
    node: str = ""
    """The node that is the trouble."""
    remedy: str = ""
    unreachable: bool = False
    nodes: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 ready, 3 when a node cannot be reached, 1 otherwise."""
        return 0 if self.state is State.READY else 3 if self.unreachable else 1


async def serve_standing(fleet: Fleet, container: str, port: int, jobs: Sequence[Job]) -> Standing:
    """Looks at every node, then at the server. A node that cannot be asked means lost, never stopped."""
    answers = await fleet.ask(lambda shell: look(shell, container))
    sites, wrong = told(answers), failed(answers)
    nodes = {n: _said(sites[n]) if n in sites else f"unreachable: {wrong[n].cause}" for n in fleet.names}
    needed = _needed(fleet, sites, jobs)
    for node in needed:
        if node in wrong:
            error = wrong[node]
            return Standing(
                State.LOST, error.cause, node=node, remedy=error.hint, unreachable=True, nodes=nodes
            )
        if not sites[node].running and any(s.running for s in sites.values()):
            return Standing(State.LOST, f"its container {container} is gone", node=node,
                            remedy="sparkconsole launch --repair, then serve again", nodes=nodes)  # fmt: skip
    if fleet.head not in sites or not sites[fleet.head].running:
        return Standing(State.ABSENT, f"no container {container} runs", nodes=nodes)
    found = await _server(fleet, port, jobs)
    return Standing(found.state, found.detail, found.model, found.node, found.remedy, nodes=nodes)


def _needed(fleet: Fleet, sites: Mapping[str, Site], jobs: Sequence[Job]) -> tuple[str, ...]:
    """With Ray and without, every node of the cluster takes part; solo and a lone rank need the head."""
    head = sites.get(fleet.head)
    launch = recalled(head.found.labels) if head and head.found else None
    solo = launch is not None and launch.backend is Backend.SOLO
    return (fleet.head,) if solo or len(fleet.names) == 1 else fleet.names


def _said(site: Site) -> str:
    if site.found is None:
        return "no container"
    return "running" if site.found.running else f"ended with {site.found.exit_code}"


async def _server(fleet: Fleet, port: int, jobs: Sequence[Job]) -> Standing:
    from sparkconsole.remote.vllm import complete_one_token, healthy

    shell = await fleet.shell(fleet.head)
    if await healthy(shell, port):
        try:
            return Standing(
                State.READY, f"port {port}", await complete_one_token(shell, port, timeout=TOKEN_S)
            )
        except TimedOut:
            return Standing(State.WEDGED, f"it answers /health, but no token came within {TOKEN_S:.0f} s",
                            remedy="sparkconsole logs, then serve stop and serve again")  # fmt: skip
        except SparkError as error:
            return Standing(State.WEDGED, error.cause, remedy="sparkconsole logs")
    return await _unanswered(fleet, jobs)


async def _unanswered(fleet: Fleet, jobs: Sequence[Job]) -> Standing:
    """Nobody answers on the port: it loads, it failed, or there is none."""
    for job in sorted(jobs, key=lambda j: int(j.details.get("rank", 0))):
        state = await job_state(fleet, job)
        if not state.known:
            continue
        lines: list[str] = []
        with contextlib.suppress(SparkError):
            lines = (await job_file(fleet, job, "log")).decode("utf-8", "replace").splitlines()
        if state.running:
            return _loading(lines)
        cause = first_cause(lines)
        detail = cause_text(cause) if cause else f"it ended with status {state.status}"
        return Standing(State.FAILED, detail, node=job.node, remedy=cause.remedy if cause else "")
    return Standing(State.ABSENT, "no server answers")


def _loading(lines: Sequence[str]) -> Standing:
    progress = ServeProgress()
    for line in lines:
        progress = advance(progress, read_line(line))
    percent = f" {progress.percent:.0f} %" if progress.percent is not None else ""
    return Standing(State.LOADING, f"{progress.phase.value}{percent} {progress.detail}".strip())
