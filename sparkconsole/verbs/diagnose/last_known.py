"""What the journal says that a look at nodes is held against: what was served, and how fast it was."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sparkconsole.model.bench import kept_result
from sparkconsole.model.checks import Pace
from sparkconsole.model.serve.engine import LiveRank, vllm_words
from sparkconsole.model.work.job import JobKind, Run
from sparkconsole.verbs.diagnose.preflight import node_model
from sparkconsole.verbs.grammar.session import Session

MOST_RUNS = 400
"""So far back the journal is read."""


@dataclass(frozen=True, slots=True)
class LastKnown:
    """Of the cluster that is meant."""

    model: str = ""
    """What was served last, where its files are the node's; a path inside an image is not."""
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By model, from `vllm` on."""
    paces: tuple[Pace, ...] = ()


def last_known(session: Session) -> LastKnown:
    """From the newest runs, the newest first."""
    runs = [r for r in islice(session.journal.newest(), MOST_RUNS) if r.cluster == session.cluster.name]
    served = [job for run in runs for job in run.jobs if job.kind is JobKind.SERVE and not job.rank]
    words: dict[str, tuple[str, ...]] = {}
    for job in served:
        found = vllm_words(job.argv)
        words.setdefault(LiveRank(job.node, 0, found).model, found)
    model = node_model(str(served[0].details.get("model", ""))) if served else ""
    return LastKnown(model, words, tuple(p for run in runs if (p := _pace(run)) is not None))


def _pace(run: Run) -> Pace | None:
    """Of a benchmark in which every request was answered."""
    result: dict[str, Any] = kept_result(run.outcome.get("result")) or {"latencies": {}}
    token_ms = result["latencies"].get("median_tpot")
    if not any(j.kind is JobKind.BENCH for j in run.jobs) or not token_ms or result.get("failed"):
        return None
    asked = {"spec": run.outcome.get("spec"), "server": run.outcome.get("server")}
    return Pace(run.id, json.dumps(asked, sort_keys=True), float(token_ms))
