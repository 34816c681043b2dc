"""Who changes which node: marks left there before a deed, and what is told of those that others left.

A run of this account whose console is gone is known by the journal, anybody else's by its mark.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from sparkconsole.clock import together
from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.fleet import Fleet, answered
from sparkconsole.fleet.journal.journal import Journal, this_console
from sparkconsole.model.foresight import effect as effects
from sparkconsole.model.text.printable import printable
from sparkconsole.model.work.job import NodeMark, Run, RunState
from sparkconsole.model.work.news import Remark, Report
from sparkconsole.model.work.plan import Plan
from sparkconsole.remote.node import marks as remote

LATER_S = 86_400.0
"""So long a lost node is waited for to take a mark away; the next mark there takes it away too."""
MOST_RUNS = 50
"""So far back the journal is looked through for runs without a console."""
_BEGINS = (effects.ContainerStarted, effects.ImageNamed, effects.ModelThere, effects.ServerUp)


def nodes_changed(plan: Plan, expected: Sequence[effects.Effect]) -> tuple[str, ...]:
    """Those that a deed changes: none where it is about files of this computer."""
    if any(isinstance(e, (effects.ClusterChanged, effects.KeysTrusted)) for e in expected):
        return ()
    return tuple(dict.fromkeys((*plan.nodes(), *(e.node for e in expected if isinstance(e, effects.OnNode)))))


async def leave_marks(
    fleet: Fleet, journal: Journal, run: Run, plan: Plan, expected: Sequence[effects.Effect], report: Report
) -> tuple[str, ...]:
    """A mark on each node, but for those that are lost; marks go of runs that ended while a node was lost.

    The nodes that took one.

    Refused where one takes none and more would be there than before; what only ends something goes on.
    """
    begins = any(step.job for step in plan.steps) or any(isinstance(e, _BEGINS) for e in expected)
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or f"user {os.getuid()}"
    mark = NodeMark(run=run.id, verb=run.verb, who=f"{user}@{run.console.host}", since=run.started)
    over = [r.id for r in islice(journal.newest(), MOST_RUNS) if not r.state.open]
    reasons = await fleet.ask(lambda shell: remote.write_mark(shell, mark, over), run.plan["marked"])
    taken = answered(reasons)
    for node, why in taken.items():
        text = f"takes no mark of who is at work there: {why}"
        if why and begins:
            raise Refused(f"{text}; nothing was started", hint="its /tmp must take a file", node=node)
        if why:
            report(Remark(f"{text}; continuing", node, "warning"))
    return tuple(node for node, why in taken.items() if not why)


async def remove_marks(fleet: Fleet, run: Run) -> tuple[str, ...]:
    """Takes a run's marks away, as far as its nodes can be reached just now: those that could."""
    return tuple(answered(await fleet.ask(lambda shell: remote.remove_mark(shell, run.id), run.nodes)))


def still_marked(run: Run) -> str:
    """What is said of a node that could not be asked to take a mark away."""
    return f"the mark of this run stays there until your next one: {remote.mark_path(run.id)}"


async def remove_marks_later(fleet: Fleet, run: Run, nodes: Sequence[str]) -> None:
    """The same of nodes that are lost, as soon as each is back; ends when all are, or after LATER_S."""

    async def remove(node: str) -> None:
        with suppress(SparkError):
            await remote.remove_mark(await fleet.reconnect(node, LATER_S), run.id)

    await together(*map(remove, nodes))


OWN_CONSOLE = "another console"
"""Of the same account: the journal has its runs."""


@dataclass(frozen=True, slots=True)
class WorkOfOthers:
    """A run on our nodes that this console does not carry out, and that is not known to have ended."""

    verb: str
    nodes: tuple[str, ...]
    by: str
    """`anna@laptop`, `another console` of this account; empty: its console is gone."""
    sentence: str

    @property
    def is_ours(self) -> bool:
        """The journal of this account has it."""
        return self.by in ("", OWN_CONSOLE)


async def under_way(fleet: Fleet, journal: Journal, nodes: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each run on these nodes that is not of this console and not known to have ended."""
    return tuple(work.sentence for work in await work_of_others(fleet, journal, nodes))


async def work_of_others(fleet: Fleet, journal: Journal, nodes: Sequence[str]) -> tuple[WorkOfOthers, ...]:
    """Those runs, of other operators first; of this account by the journal, which the disk may keep long."""
    answers = answered(await fleet.ask(remote.look_for_marks, nodes)).values()
    known, left = await asyncio.to_thread(lambda: (set(journal.names()), left_behind(journal)))
    seen = [mark for marks in answers for mark in marks if mark.run not in known]
    others = [_others([mark for mark in seen if mark.run == run]) for run in {mark.run: 0 for mark in seen}]
    return (*others, *(_left(run) for run in left if set(run.nodes) & set(nodes)))


def how_left(run: Run) -> str:
    """Why nobody minds a run that has no end: its console is gone, or could not see the end."""
    began = f"your `{run.verb}` of {run.started.astimezone():%a %H:%M}"
    seen = "console" in run.plan  # who saw it to the end wrote down that it minds it no more
    return f"how {began} ended is unknown" if seen else f"{began} was left by its console"


def left_behind(journal: Journal) -> tuple[Run, ...]:
    """Runs without an end that this console does not mind, newest first."""
    runs = islice(journal.newest(), MOST_RUNS)
    return tuple(run for run in runs if run.state.open and run.console != this_console())


def _others(marks: Sequence[NodeMark]) -> WorkOfOthers:
    nodes, since = tuple(mark.node for mark in marks), f"{marks[0].since.astimezone():%a %H:%M}"
    who, verb = (" ".join(printable(words[:200]).split())[:80] for words in (marks[0].who, marks[0].verb))
    if all(mark.gone for mark in marks):
        text = f"{who} began `{verb}` at {since} and has lost its connection; it may still run there"
    else:
        text = f"{who} has been running `{verb}` since {since}"
    return WorkOfOthers(verb, nodes, who, f"{', '.join(nodes)}: {text}")


def _left(run: Run) -> WorkOfOthers:
    """What stands without a console is for its person to decide about: go on, take back, or leave."""
    nodes, since = ", ".join(run.nodes), f"{run.started.astimezone():%a %H:%M}"
    if run.state is RunState.RUNNING:
        whose = f"another console of yours ({run.console.host}, process {run.console.pid})"
        text = f"{nodes}: {whose} has been running `{run.verb}` since {since}"
        return WorkOfOthers(run.verb, run.nodes, OWN_CONSOLE, text)
    back = f"runs stop {run.id}" if run.jobs else "stop" if run.verb == "launch" else ""
    ways = ("follow it" if run.jobs else "see what stands") + f": sparkconsole runs attach {run.id}"
    ways += f"; take it back: sparkconsole {back}" if back else ""
    text = f"{nodes}: {how_left(run)}; {ways}; or leave it"
    return WorkOfOthers(run.verb, run.nodes, "", text)
