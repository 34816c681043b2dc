"""A run of the journal in a line: what a list needs, without its plan, so that ten thousand are light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkconsole.model.text.units import size
from sparkconsole.model.work.job import Run, RunState

LONGEST = 400
"""Characters kept of a sentence."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """What was asked, where, and how it ended."""

    id: str
    words: tuple[str, ...]
    state: RunState
    started: datetime
    ended: datetime | None = None
    cluster: str = ""
    exit_code: int | None = None
    title: str = ""
    nodes: tuple[str, ...] = ()
    jobs: int = 0
    """What outlives the console."""
    steps: int = 0
    cause: str = ""
    hint: str = ""
    gist: str = ""
    """What came of it, in a few words; empty when nothing is known of it."""

    @property
    def over(self) -> bool:
        """It has ended, so that it never changes any more."""
        return self.state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)


def run_line(run: Run) -> RunLine:
    """The line of a run."""
    node, cause = run.error.get("node"), str(run.error.get("cause") or run.outcome.get("error") or "")
    return RunLine(
        id=run.id,
        words=tuple(word[:LONGEST] for word in run.words),
        state=run.state,
        started=run.started,
        ended=run.ended,
        cluster=run.cluster,
        exit_code=run.exit_code,
        title=str(run.plan.get("title", ""))[:LONGEST],
        nodes=run.nodes,
        jobs=len(run.jobs),
        steps=len(run.plan.get("steps", ())),
        cause=(f"{node}: {cause}" if node and cause else cause)[:LONGEST],
        hint=str(run.error.get("hint") or "")[:LONGEST],
        gist=gist(run.outcome) if run.state is RunState.DONE else "",
    )


def gist(outcome: Mapping[str, Any]) -> str:
    """`109.9 tok/s`, `copied 19.2 GB`, `2 nodes ready`: what an outcome says first."""
    result, hosts, nodes = (outcome.get(k) for k in ("result", "hosts", "nodes"))
    if isinstance(result, Mapping) and isinstance(rate := result.get("output_tokens_per_s"), int | float):
        return f"{rate:.1f} tok/s"
    if isinstance(hosts, list) and hosts:
        counts = (host.get("bytes") for host in hosts if isinstance(host, Mapping))
        sent = sum(count for count in counts if isinstance(count, int | float))
        return f"copied {size(sent)}" if sent else ""
    if outcome.get("ready") is True and isinstance(nodes, list):
        return f"{len(nodes)} node{'s' * (len(nodes) != 1)} ready"
    if isinstance(outcome.get("tag"), str) and isinstance(count := outcome.get("size_bytes"), int):
        return size(count)
    state = outcome.get("state")
    return state[:40] if isinstance(state, str) else ""
