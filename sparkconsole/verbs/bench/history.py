"""The benchmarks that the journal keeps: listed, shown, and two beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sparkconsole.errors import WrongUsage
from sparkconsole.model.bench import Comparison, compare, kept_result
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.job import JobKind
from sparkconsole.verbs.bench.run import result_sheet, written
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, Session


@dataclass(frozen=True, slots=True)
class _KeptBench:
    """A benchmark in the journal."""

    id: str
    when: str
    model: str
    spec: dict[str, Any]
    server: dict[str, Any]
    result: dict[str, Any]
    file: str
    """vLLM's own result, as it came."""


def _kept(session: Session) -> list[_KeptBench]:
    kept = []
    for run in session.journal.runs():
        outcome, result = run.outcome, kept_result(run.outcome.get("result"))
        if result and any(job.kind is JobKind.BENCH for job in run.jobs):
            model, file = str(outcome.get("model", "")), str(outcome.get("file", ""))
            spec, server = outcome.get("spec", {}), outcome.get("server", {})
            when = f"{run.started:%Y-%m-%d %H:%M}"
            kept.append(_KeptBench(run.id, when, model, spec, server, result, file))
    return kept


@verb("bench list")
async def list_benches(session: Here) -> Answer:
    """List the benchmarks that were kept, newest first."""
    kept = _kept(session)
    data = {"benches": [asdict(k) for k in kept]}
    if not kept:
        return Answer(data, ("no benchmark was kept yet: sparkconsole bench run",))
    columns = ("run", "when", "model", "requests", "output tok/s", "TTFT ms")
    return Answer(data, (Sheet.of(columns, [_row(k) for k in kept]),))


def _row(kept: _KeptBench) -> tuple[str | None, ...]:
    result, done = kept.result, kept.result["completed"]
    requests = f"{done}/{done + (result['failed'] or 0)}"
    rates = written(result["output_tokens_per_s"]), written(result["latencies"].get("median_ttft"))
    return kept.id, kept.when, kept.model, requests, *rates


@verb("bench show")
async def show(session: Here, id: str | None = None) -> Answer:  # noqa: A002 - it is called so in every help
    """Show a benchmark's numbers; without an id the newest one's.

    Parameters
    ----------
    id
        The run, or how its name begins.
    """
    found = session.journal.find(id) if id else None
    kept = [k for k in _kept(session) if found is None or k.id == found.id]
    if not kept:
        raise WrongUsage("no such benchmark was kept", hint="sparkconsole bench list")
    chosen = kept[0]
    version = f", vLLM {chosen.server['vllm']}" if chosen.server.get("vllm") else ""
    whole = (f"all of it: {chosen.file}",) if chosen.file else ()
    title = f"{chosen.model}, {chosen.when}{version}"
    return Answer(asdict(chosen), (title, result_sheet(chosen.result), *whole))


@verb("bench compare")
async def compare_benches(session: Here, one: str, other: str) -> Answer:
    """Put two kept benchmarks beside each other: what was asked differently, and every number.

    Parameters
    ----------
    one
        A run, or how its name begins or ends.
    other
        The run to compare it with.
    """
    kept = {k.id: k for k in _kept(session)}
    first, second = (_chosen(session, kept, name) for name in (one, other))
    found = compare(asdict(first), asdict(second))
    data = {
        "one": asdict(first),
        "other": asdict(second),
        "settings": {name: [a, b] for name, a, b in found.settings},
        "numbers": {n.name: [n.one, n.other, n.difference, n.ratio] for n in found.numbers},
    }
    return Answer(data, (_settings_sheet(first, second, found), _numbers_sheet(found)))


def _chosen(session: Session, kept: Mapping[str, _KeptBench], name: str) -> _KeptBench:
    run = session.journal.find(name)
    if run.id not in kept:
        raise WrongUsage(f"{run.id} kept no result of a benchmark", hint="sparkconsole bench list")
    return kept[run.id]


def _settings_sheet(first: _KeptBench, second: _KeptBench, found: Comparison) -> Sheet:
    """Which two they are, and what tells them apart."""
    rows = [("when", first.when, second.when), ("model", first.model, second.model)]
    rows += [(name, _shown(a), _shown(b)) for name, a, b in found.settings]
    title = "asked differently" if found.settings else "asked the same"
    return Sheet.of((title, f"1 · {first.id[-4:]}", f"2 · {second.id[-4:]}"), rows)


def _shown(value: Any) -> str:
    return "–" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _numbers_sheet(found: Comparison) -> Sheet:
    marks = {"one": "1 is better", "other": "2 is better", "": ""}
    rows = []
    for n in found.numbers:
        difference = None if n.difference is None else f"{n.difference:+.2f}"
        ratio = None if n.ratio is None else f"× {n.ratio:.3f}"
        rows.append((n.name, written(n.one), written(n.other), difference, ratio, marks[n.better]))
    return Sheet.of(("measured", "1", "2", "difference", "ratio", ""), rows)
