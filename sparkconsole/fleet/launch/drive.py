"""Drives a launch: runs the steps the state machine gives, tells it what machines say, shows the board."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from sparkconsole.clock import cancelled, together
from sparkconsole.errors import Cancelled, CommandFailed, SparkError, TimedOut, Unreachable, last_reason
from sparkconsole.fleet.execute_plan import verify
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import LINK_S, reconnected
from sparkconsole.fleet.waiting import AGAIN_S, Wait, waiting
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.launch.state import (
    CancelAsked,
    ContainerDied,
    ContainerSeen,
    Event,
    LaunchPhase,
    LaunchState,
    MembersSeen,
    NodeLost,
    NodeProgress,
    NodeStage,
    StepDone,
    StepFailed,
    TimeUp,
    Why,
)
from sparkconsole.model.text.units import minutes_or_seconds
from sparkconsole.model.work.news import Output, Remark, Report, StepBegan, StepEnded
from sparkconsole.model.work.plan import Step, StepOutcome
from sparkconsole.parse.image.docker import name_taken, why_refused
from sparkconsole.parse.serve.ray import why_ended
from sparkconsole.remote.node import site
from sparkconsole.remote.shell import Shell

POLL_S = 1.0
"""How often containers and members are looked at while a launch is under way."""
_WATCHED = (NodeStage.STARTED, NodeStage.UP, NodeStage.JOINED)


async def drive_launch(fleet: Fleet, state: LaunchState, report: Report, *, timeout_s: float) -> None:
    """Brings the launch to READY; otherwise everything it started is gone again and the real cause is raised.

    `timeout_s` counts from the moment every container was started.
    """
    await _Drive(fleet, state, report, timeout_s).run()
    if state.phase is not LaunchPhase.READY:
        raise failure_of(state)


def failure_of(state: LaunchState) -> SparkError:
    """The one error of a launch that failed: the node, the real cause, and what could not be taken back."""
    left = "; ".join(f"{f.node}: {f.why.cause}" for f in state.leftovers)
    failure = state.failure
    if failure is None or (not failure.node and failure.why.cause == "cancelled"):
        return Cancelled("the launch was cancelled", hint=f"may be left: {left}" if left else "")
    why = failure.why
    hint = "; ".join(filter(None, (why.hint, f"may be left ({left}): sparkconsole stop" if left else "")))
    lost = any(s.node == failure.node and s.reach is NodeStage.LOST for s in state.board())
    return (Unreachable if lost else SparkError)(why.cause, hint=hint, node=failure.node)


class _Drive:
    """One launch under way: tasks put events into a queue, one loop feeds them to the state machine."""

    def __init__(self, fleet: Fleet, state: LaunchState, report: Report, timeout_s: float) -> None:
        self.fleet, self.state, self.report, self.timeout_s = fleet, state, report, timeout_s
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._shown: dict[str, NodeProgress] = {}
        self._awaited: set[str] = set()
        self._timer: asyncio.Task[None] | None = None
        self._wait: Wait | None = None

    async def run(self) -> None:
        """Until the launch is over; cancelling it takes back what was started before it lets go."""
        self._spawn(self._watch())
        try:
            self._start(self.state.begin())
            async with waiting(
                self._still, AGAIN_S, lambda n, text: self.report(Remark(text, n))
            ) as self._wait:
                await self._until_over()
        except asyncio.CancelledError:
            self._feed(CancelAsked())
            await self._until_over()
            raise
        finally:
            await cancelled(self._tasks)

    def _still(self, seconds: float) -> Iterator[tuple[str, str]]:
        for now in self.state.board():
            if now.reach in (NodeStage.STARTING, *_WATCHED[:-1]) and now.node not in self._awaited:
                yield now.node, f"{now.reach.value}: nothing new for {minutes_or_seconds(seconds)}"

    async def _until_over(self) -> None:
        while not self.state.over:
            self._feed(await self._events.get())

    def _feed(self, event: Event) -> None:
        self._start(self.state.feed(event))
        self._show_board()
        if self.state.phase is LaunchPhase.GATHERING and self._timer is None:
            self._timer = self._spawn(self._time_up())

    def _start(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self._spawn(self._execute(step))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _time_up(self) -> None:
        await self.fleet.clock.sleep(self.timeout_s)
        self._events.put_nowait(TimeUp(self.timeout_s))

    def _show_board(self) -> None:
        for now in self.state.board():
            if self._shown.get(now.node) != now:
                self._shown[now.node] = now
                if self._wait is not None:
                    self._wait.heard()
                why = f": {now.why}" if now.why else ""
                level = "error" if now.reach in (NodeStage.FAILED, NodeStage.LOST) else "info"
                self.report(Remark(f"{now.reach.value}{why}", now.node, level))

    async def _execute(self, step: Step) -> None:
        self.report(StepBegan(step.node, step.sentence))
        began = self.fleet.clock.monotonic()
        event = await self._outcome(step)
        detail = event.why.cause if isinstance(event, StepFailed) else ""
        elapsed = self.fleet.clock.monotonic() - began
        unseen = isinstance(event, StepFailed) and event.lost
        ended = StepOutcome(step, isinstance(event, StepDone), detail, elapsed, unseen=unseen)
        self.report(StepEnded(ended))
        self._events.put_nowait(event)

    async def _outcome(self, step: Step) -> StepDone | StepFailed:
        try:
            shell = await self.fleet.shell(step.node)
            await self._run(shell, step)
            return await self._read_back(shell, step)
        except Unreachable as error:
            return StepFailed(step.id, Why(error.cause, error.hint), lost=True)
        except CommandFailed as error:
            text = error.stderr or error.cause
            why = why_refused(text) if step.undo else _plain(error)
            return StepFailed(step.id, why, not_ours=name_taken(text))
        except TimedOut as error:
            return StepFailed(step.id, Why(f"“{step.sentence}” took too long: {error.cause}", error.hint))
        except SparkError as error:
            return StepFailed(step.id, Why(error.cause, error.hint))

    async def _run(self, shell: Shell, step: Step) -> None:
        secrets = {name: os.environ[name] for name in step.secrets if name in os.environ}
        done = await shell.run(step.argv, timeout=step.timeout_s, secrets=secrets)
        if step.reads:
            for line in done.text.splitlines():
                self.report(Output(step.node, line))
        if done.status is None:
            raise Unreachable("the connection was lost", node=step.node)
        done.checked()

    async def _read_back(self, shell: Shell, step: Step) -> StepDone | StepFailed:
        """A container that ended at once tells in its log why."""
        try:
            await verify(shell, step)
        except CommandFailed:
            if not step.undo:
                raise
            return StepFailed(step.id, await self._why_dead(shell))
        return StepDone(step.id)

    async def _why_dead(self, shell: Shell) -> Why:
        name = self.state.spec.container
        found = (await site.look(shell, name)).found
        lines = await site.last_lines(shell, name) if found else ()
        why = why_ended(lines, found.exit_code if found else None)
        why = replace(why, cause=self.fleet.named(why.cause))
        return Why("it ran out of memory and was killed") if found and found.oom_killed else why

    async def _watch(self) -> None:
        """Looks at what was started, again and again, until the launch is over or being taken back."""
        while self.state.phase in (LaunchPhase.STARTING, LaunchPhase.GATHERING):
            there = (s.node for s in self.state.board() if s.reach in _WATCHED)
            watched = [node for node in there if node not in self._awaited]
            await together(*(self._look(node) for node in watched))
            if self.state.spec.backend is Backend.RAY and self.state.seats[0].node in watched:
                await self._probe_members()
            await self.fleet.clock.sleep(POLL_S)

    async def _look(self, node: str) -> None:
        try:
            shell = await self.fleet.shell(node)
            seen = await site.look(shell, self.state.spec.container)
            died = None if seen.running else ContainerDied(node, await self._why_dead(shell))
            event: Event = died or ContainerSeen(node)
        except Unreachable as error:
            self._awaited.add(node)
            self._spawn(self._await_link(node, error.cause))
        except SparkError as error:
            self.report(Remark(f"could not be looked at: {error.cause}", node, "warning"))
        else:
            self._events.put_nowait(event)

    async def _await_link(self, node: str, cause: str) -> None:
        """A link that broke is no node that is gone, and its container starts meanwhile."""
        try:
            await reconnected(self.fleet, node, cause, LINK_S)
        except Unreachable as error:
            self._events.put_nowait(NodeLost(node, Why(error.cause, error.hint)))
        self._awaited.discard(node)

    async def _probe_members(self) -> None:
        from sparkconsole.remote.ray import members

        # Ray takes seconds to answer at first; the board says who is not there yet.
        with suppress(SparkError):
            shell = await self.fleet.shell(self.state.seats[0].node)
            found = await members(shell, self.state.spec.dashboard_port)
            self._events.put_nowait(MembersSeen(found))


def _plain(error: CommandFailed) -> Why:
    return Why(last_reason(error.stderr) or error.cause, error.hint)
