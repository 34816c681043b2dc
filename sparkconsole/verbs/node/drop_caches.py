"""`node drop-caches`: the page cache given back, where it is in the way of a model that shares its memory."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from sparkconsole.errors import Unreachable
from sparkconsole.fleet.execute_plan import execute_plan
from sparkconsole.fleet.fleet import answered, failed
from sparkconsole.model.foresight.effect import PageCacheDropped
from sparkconsole.model.page_cache import MemoryState, brought, drop_argv, require_way, way_sentence
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.model.work.news import Report
from sparkconsole.model.work.plan import Plan, Step
from sparkconsole.model.work.tier import Tier
from sparkconsole.remote.node.facts import memory_state
from sparkconsole.verbs.grammar.registry import verb
from sparkconsole.verbs.grammar.session import Here, PlannedAction, Session
from sparkconsole.verbs.node.inventory import chosen

_NOTES = (
    "files are read from disk again afterwards; nothing that runs ends",
    "MemAvailable counts the cache as free already: what grows is MemFree, all that CUDA may find at once",
)


@verb("node drop-caches", tier=Tier.RECOVERABLE)
async def drop_caches(
    session: Here, *names: str, image: Annotated[str | None, Parameter(name="--image")] = None
) -> PlannedAction:
    """Free the page cache of nodes, and say how much memory is free before and after.

    A remedy for "Free memory … is less than desired" with nothing running. It needs root: the login itself,
    else `sudo -n`, else a privileged one-shot container of the cluster's image. The plan says which.

    Parameters
    ----------
    names
        Nodes; without any: all of them.
    image
        The image for the container; without it the cluster's.
    """
    image = image or session.cluster.image
    nodes = chosen(session, names)
    answers = await session.fleet.ask(lambda shell: memory_state(shell, image), nodes)
    for error in failed(answers).values():
        raise error
    before = answered(answers)
    for node, state in before.items():
        require_way(node, state.way, image)
    steps = tuple(_step(node, state, image) for node, state in before.items())
    plan = Plan(f"Drop the page cache of {', '.join(nodes)}", steps, Tier.RECOVERABLE, notes=_NOTES)
    effects = tuple(PageCacheDropped(node) for node in nodes)
    return PlannedAction(plan, lambda report: _execute(session, plan, before, report), effects)


def _step(node: str, state: MemoryState, image: str) -> Step:
    sentence = f"{way_sentence(state.way, image)} ({size(state.cached)} now)"
    return Step(f"{node}:drop-caches", node, sentence, drop_argv(state.way, image), timeout_s=120)


async def _execute(session: Session, plan: Plan, before: dict[str, MemoryState], report: Report) -> Answer:
    outcome = await execute_plan(session.fleet, plan, report)
    wrong = {o.step.node: o.detail for o in outcome.failures()}
    answers = await session.fleet.ask(memory_state, tuple(before))
    wrong.update({node: f"unknown: {error.cause}" for node, error in failed(answers).items()})
    after = answered(answers)
    seen = {n: [(w, getattr(b, w), getattr(after.get(n), w, None)) for w in _WHAT] for n, b in before.items()}
    values = {n: wrong.get(n) or brought(b, after[n]) for n, b in before.items()}
    rows = [(n, *(_change(a, b) for _, a, b in seen[n][:2]), values[n]) for n in before]
    data = {n: {**{w: [a, b] for w, a, b in seen[n]}, "ok": n not in wrong, "said": values[n],
                "way": before[n].way.value} for n in before}  # fmt: skip
    code = Unreachable.exit_code if outcome.unseen or failed(answers) else int(bool(wrong))
    return Answer({"nodes": data}, (Sheet.of(("node", "MemAvailable", "MemFree", ""), rows),), code)


_WHAT = ("available", "free", "cached")


def _change(before: int, after: int | None) -> str:
    return f"{size(before)} → {size(after) if after is not None else 'unknown'}"
