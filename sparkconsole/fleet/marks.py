"""Who changes which node: marks left there before a deed, and what is told of those that others left.

A run of this account whose console is gone is known by the journal, anybody else's by its mark.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice

from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.fleet.journal import Journal, this_console
from sparkconsole.model.foresight import effect as effects
from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.job import NodeMark, Run, RunState
from sparkconsole.model.work.plan import Plan
from sparkconsole.remote.node import marks as remote

MOST_RUNS = 50
"""So far back the journal is looked through for runs without a console."""
_BEGINS = (effects.ContainerStarted, effects.ImageNamed, effects.ModelThere, effects.ServerUp)
_TAKES_BACK = {"launch": "stop", "serve": "serve stop"}


def nodes_changed(fleet: Fleet, plan: Plan, expected: Sequence[effects.Effect]) -> tuple[str, ...]:
    """Those that a deed changes: none where it is about files of this computer."""
    if any(isinstance(e, (effects.ClusterChanged, effects.KeysTrusted)) for e in expected):
        return ()
    names = (*plan.nodes(), *(e.node for e in expected if isinstance(e, effects.OnNode)))
    return tuple(dict.fromkeys(name for name in names if fleet.knows(name)))


def begins_something(plan: Plan, expected: Sequence[effects.Effect]) -> bool:
    """It leaves more on a node than was there; what only ends or removes is never in need of a mark."""
    return any(step.job for step in plan.steps) or any(isinstance(e, _BEGINS) for e in expected)


async def leave_marks(fleet: Fleet, run: Run, nodes: Iterable[str]) -> dict[str, str]:
    """A mark on each node; why, by node, for those that cannot take one. A lost node is passed over."""
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or f"user {os.getuid()}"
    mark = NodeMark(run=run.id, verb=run.verb[:60], who=f"{user}@{run.console.host}", since=run.started)
    reasons = answered(await fleet.ask(lambda shell: remote.write_mark(shell, mark), nodes))
    return {node: why for node, why in reasons.items() if why}


async def remove_marks(fleet: Fleet, run: Run) -> None:
    """Takes a run's marks away, as far as its nodes can be reached just now."""
    await fleet.ask(lambda shell: remote.remove_mark(shell, run.id), filter(fleet.knows, run.nodes))


async def under_way(fleet: Fleet, journal: Journal, nodes: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each run on these nodes that is not of this console and not known to have ended."""
    found: dict[str, list[NodeMark]] = {}
    for marks in answered(await fleet.ask(remote.look_for_marks, nodes)).values():
        for mark in marks:
            found.setdefault(mark.run, []).append(mark)
    others = [_others(marks, fleet) for name, marks in found.items() if name not in journal.names()]
    left = [r for r in islice(journal.newest(), MOST_RUNS) if r.state.open and set(r.nodes) & set(nodes)]
    return (*others, *(_left(run, fleet) for run in left if run.console != this_console()))


def _others(marks: Sequence[NodeMark], fleet: Fleet) -> str:
    nodes, since = ", ".join(mark.node for mark in marks), _time(marks[0].since, fleet)
    who, verb = printable(marks[0].who)[:80], printable(marks[0].verb)[:60]
    if all(mark.gone for mark in marks):
        return f"{nodes}: {who} began `{verb}` at {since} and has lost its connection; it may still run there"
    return f"{nodes}: {who} has been running `{verb}` since {since}"


def _left(run: Run, fleet: Fleet) -> str:
    """What stands without a console is for its person to decide about: go on, take back, or leave."""
    nodes, since = ", ".join(run.nodes), _time(run.started, fleet)
    if run.state is RunState.RUNNING:
        whose = f"another console of yours ({run.console.host}, process {run.console.pid})"
        return f"{nodes}: {whose} has been running `{run.verb}` since {since}"
    back = f"runs stop {run.id}" if run.jobs else _TAKES_BACK.get(run.verb, "")
    ways = ("follow it" if run.jobs else "see what stands") + f": sparkconsole runs attach {run.id}"
    ways += f"; take it back: sparkconsole {back}" if back else ""
    return f"{nodes}: your `{run.verb}` of {since} has no console any more; {ways}; or leave it"


def _time(at: datetime, fleet: Fleet) -> str:
    """`14:02`, with the day when that is another one."""
    here, now = at.astimezone(), fleet.clock.now().astimezone()
    return f"{here:%H:%M}" if here.date() == now.date() else f"{here:%m-%d %H:%M}"
