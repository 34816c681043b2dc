"""The settle gate: before a start an earlier server's memory is waited for, where it still comes back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sparkconsole.clock import together
from sparkconsole.errors import SparkError
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.model.serve.memory_guard import MemoryPoint, MemoryReturn, judge_return, waits_for
from sparkconsole.model.text.units import size
from sparkconsole.model.work.news import Advance, Remark, Report
from sparkconsole.remote.node.facts import memory_state

LOOK_S, MOST_S = 0.75, 90.0
"""Between looks, and how long is waited at most."""


@dataclass(frozen=True, slots=True)
class MemoryAwaited:
    """How waiting ended on one node."""

    node: str
    outcome: MemoryReturn
    available: int
    needed: int
    waited_s: float


async def await_memory(
    fleet: Fleet, nodes: Iterable[str], share: float, report: Report, *, most_s: float = MOST_S
) -> dict[str, MemoryAwaited]:
    """Returns when each node has `share` of its memory available, or gets no more, or time is up.

    Never fails: a node that cannot be asked is left out, and what starts afterwards says what it lacks.
    """
    names = tuple(nodes)
    ends = await together(*(_await_node(fleet, n, share, report, most_s) for n in names))
    return {end.node: end for end in ends if end is not None}


async def _await_node(
    fleet: Fleet, node: str, share: float, report: Report, most_s: float
) -> MemoryAwaited | None:
    began, seen, reported = fleet.clock.monotonic(), list[MemoryPoint](), False
    while True:
        try:
            state = await memory_state(await fleet.shell(node))
        except SparkError as error:
            report(Remark(f"its memory could not be looked at: {error.cause}", node, "warning"))
            return None
        waited_s, needed = fleet.clock.monotonic() - began, int(state.total * share)
        seen.append(MemoryPoint(waited_s, state.available))
        outcome = judge_return(seen, needed)
        if outcome in (MemoryReturn.ENOUGH, MemoryReturn.STAYS) or waited_s >= most_s:
            end = MemoryAwaited(node, outcome, state.available, needed, waited_s)
            _tell_end(end, report, waited=reported)
            return end
        if outcome is MemoryReturn.COMES:
            if not reported:
                report(Remark(waits_for(state.available, needed), node))
            reported = True
            report(Advance(node, "memory", state.available, needed, "B", elapsed_s=waited_s))
        await fleet.clock.sleep(LOOK_S)


def _tell_end(end: MemoryAwaited, report: Report, *, waited: bool) -> None:
    """Silence where there was enough from the start."""
    if end.outcome is MemoryReturn.ENOUGH and waited:
        report(Remark(f"its memory came back in {end.waited_s:.0f} s", end.node))
    elif end.outcome is not MemoryReturn.ENOUGH:
        why = "it does not grow" if end.outcome is MemoryReturn.STAYS else f"after {end.waited_s:.0f} s"
        text = f"{size(end.available)} of {size(end.needed)} are available, and {why}: it goes on with that"
        report(Remark(text, end.node, "warning" if waited else "info"))
