"""A launch, a restart and a repair as one state machine: events in, the steps to run next out.

It never talks to a machine and has no clock, so every order of events can be tried. Whatever the order, it
ends READY, with every expected node joined, or FAILED, with every container it started removed after its log
was kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from sparkconsole.model.launch.steps import removal_steps
from sparkconsole.model.ray import RayMember, gpu_count, last_words, living
from sparkconsole.model.work.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Why:
    """Why something went wrong, and what to do next."""

    cause: str
    hint: str = ""
    follows: bool = False
    """It only follows from another node's trouble, which is then the thing to tell."""


@dataclass(frozen=True, slots=True)
class LaunchFailure:
    """The reason the launch failed, on the node that caused it (empty: none in particular)."""

    node: str
    why: Why


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step succeeded, and its effect was read back."""

    id: str


@dataclass(frozen=True, slots=True)
class StepFailed:
    """A step failed. `not_ours`: what stands there was made by someone else and is left alone."""

    id: str
    why: Why
    lost: bool = False
    not_ours: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSeen:
    """The node's container runs, read just now."""

    node: str


class ContainerDied(LaunchFailure):
    """The node's container ended, or is gone."""


@dataclass(frozen=True, slots=True)
class MembersSeen:
    """Ray answered on the head."""

    members: tuple[RayMember, ...]


class NodeLost(LaunchFailure):
    """The connection to a node broke: what runs there is unknown."""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The time allowed for getting ready is over."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """A person stopped it."""


Event = StepDone | StepFailed | ContainerSeen | ContainerDied | MembersSeen | NodeLost | TimeUp | CancelAsked


class LaunchPhase(StrEnum):
    """Where the whole launch is."""

    STARTING = "starting"
    GATHERING = "waiting for every node"
    READY = "ready"
    ROLLING_BACK = "taking back"
    FAILED = "failed"


class NodeStage(StrEnum):
    """How far one node got."""

    WAITING = "waiting"
    STARTING = "starting"
    STARTED = "container started"
    UP = "running"
    JOINED = "joined"
    FAILED = "failed"
    LOST = "unknown"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One line of the board."""

    node: str
    role: Role
    reach: NodeStage = NodeStage.WAITING
    why: str = ""


class LaunchState:
    """`feed(event)` gives the steps to start now; `begin()` the first ones."""

    def __init__(
        self, spec: LaunchSpec, seats: tuple[Seat, ...], plan: Plan, *, before: frozenset[str] = frozenset()
    ) -> None:
        self.spec, self.seats, self.plan = spec, seats, plan
        self.phase = LaunchPhase.STARTING
        self._before = before
        self._done: set[str] = set()
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._taken_back: dict[str, Step] = {}
        self._not_ours: set[str] = set()
        self._failures: list[LaunchFailure] = []
        self._leftovers: list[LaunchFailure] = []
        self._members: tuple[RayMember, ...] | None = None
        self._starts = {s.node: s.id for s in plan.steps if s.undo}
        stages = {s.node: NodeStage.STARTED for s in seats} | dict.fromkeys(self._starts, NodeStage.WAITING)
        self._board = {s.node: NodeProgress(s.node, s.role, stages[s.node]) for s in seats}

    def begin(self) -> tuple[Step, ...]:
        """The steps that can start at once."""
        return self._advance()

    def feed(self, event: Event) -> tuple[Step, ...]:
        """Takes one event in; the steps to start now, each given out once."""
        if self.over:
            return ()
        match event:
            case StepDone() | StepFailed():
                self._step_ended(event)
            case ContainerSeen(node=node):
                self._reach(node, NodeStage.UP, only_from=(NodeStage.STARTED,))
            case MembersSeen(members=members):
                self._members_seen(members)
            case ContainerDied(node=node, why=why) | NodeLost(node=node, why=why):
                self._fail(node, why, NodeStage.LOST if isinstance(event, NodeLost) else NodeStage.FAILED)
            case TimeUp(seconds=seconds):
                self._time_up(seconds)
            case CancelAsked():
                self._failures.insert(0, LaunchFailure("", Why("cancelled")))
        return self._advance()

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self.phase in (LaunchPhase.READY, LaunchPhase.FAILED)

    @property
    def failure(self) -> LaunchFailure | None:
        """The first real cause; one that only follows from another node's trouble comes last."""
        return min(self._failures, key=lambda f: f.why.follows, default=None)

    @property
    def leftovers(self) -> tuple[LaunchFailure, ...]:
        """What could not be taken back, or is unknown because its node is."""
        lost = (s for s in self._board.values() if s.reach is NodeStage.LOST and self._touched(s.node))
        unknown = (LaunchFailure(s.node, Why("unknown: the node could not be asked")) for s in lost)
        return (*self._leftovers, *unknown)

    def board(self) -> tuple[NodeProgress, ...]:
        """How far each node got, head first, and why no further."""
        return tuple(self._board[s.node] for s in self.seats)

    def _step(self, step: str) -> Step:
        return self._taken_back.get(step) or next(s for s in self.plan.steps if s.id == step)

    def _step_ended(self, event: StepDone | StepFailed) -> None:
        self._ended.add(event.id)
        node, ours = self._step(event.id).node, event.id not in self._taken_back
        removal = not ours and event.id.endswith("-remove")
        match event:
            case StepFailed(why=why, lost=lost, not_ours=not_ours) if ours:
                self._not_ours |= {node} if not_ours else set()
                self._fail(node, why, NodeStage.LOST if lost else NodeStage.FAILED)
            case StepFailed(why=why) if removal:
                self._leftovers.append(LaunchFailure(node, why))
            case StepDone() if ours:
                self._done.add(event.id)
                if event.id == self._starts.get(node):
                    self._reach(node, NodeStage.STARTED, only_from=(NodeStage.WAITING, NodeStage.STARTING))
            case StepDone() if removal:
                self._board[node] = replace(self._board[node], reach=NodeStage.REMOVED)

    def _fail(self, node: str, why: Why, reach: NodeStage) -> None:
        if f"{node}:failed-remove" in self._begun and reach is NodeStage.FAILED:
            return
        if not any(f.node == node for f in self._failures):
            self._failures.append(LaunchFailure(node, why))
        self._board[node] = replace(self._board[node], reach=reach, why=why.cause)

    def _reach(self, node: str, reach: NodeStage, *, only_from: tuple[NodeStage, ...]) -> None:
        now = self._board[node]
        if now.reach in only_from:
            self._board[node] = replace(now, reach=reach, why="")

    def _members_seen(self, members: tuple[RayMember, ...]) -> None:
        """Members from before do not count for the nodes this launch starts: Ray forgets the dead slowly."""
        restarted = {s.address for s in self.seats if s.node in self._starts}
        fresh = tuple(m for m in members if m.id not in self._before or m.address not in restarted)
        self._members = fresh
        alive = living(fresh)
        for seat in self.seats:
            now = self._board[seat.node]
            if now.reach in (NodeStage.STARTED, NodeStage.UP, NodeStage.JOINED):
                joined = seat.address in alive
                why = "" if joined else last_words(fresh, seat.address) or "Ray does not list it yet"
                if joined and self._gpus_expected and alive[seat.address].gpus < 1:
                    why = "Ray sees no GPU on it"
                reach = NodeStage.JOINED if joined else NodeStage.UP
                self._board[seat.node] = replace(now, reach=reach, why=why)

    def _time_up(self, seconds: float) -> None:
        missing = [s for s in self.board() if not self._arrived(s)]
        text = "; ".join(f"{s.node} ({s.reach.value}{': ' + s.why if s.why else ''})" for s in missing)
        if self._ray and self._members is None:
            text = f"Ray never answered on the head; {text}"
        cause = f"not ready after {seconds:.0f} s, missing: {text or 'GPUs in Ray'}"
        hint = "see the container's log above; --timeout SECONDS waits longer"
        self._failures.append(LaunchFailure(missing[0].node if missing else "", Why(cause, hint)))

    @property
    def _ray(self) -> bool:
        return self.spec.backend is Backend.RAY

    @property
    def _gpus_expected(self) -> int:
        asked = self.spec.ray_num_gpus
        return len(self.seats) * (int(self.spec.gpus) if asked is None else asked)

    def _arrived(self, progress: NodeProgress) -> bool:
        joined = progress.reach is NodeStage.JOINED and not progress.why
        return joined if self._ray else progress.reach is NodeStage.UP

    def _touched(self, node: str) -> bool:
        return self._starts.get(node) in self._begun and node not in self._not_ours

    def _advance(self) -> tuple[Step, ...]:
        if self._failures:
            return self._take_back()
        steps = self.plan.ready(self._done, self._begun)
        self._give_out(steps)
        if not steps and self._done.issuperset(s.id for s in self.plan.steps):
            enough = not self._ray or gpu_count(self._members or ()) >= self._gpus_expected
            ready = enough and all(self._arrived(s) for s in self.board())
            self.phase = LaunchPhase.READY if ready else LaunchPhase.GATHERING
        return steps

    def _take_back(self) -> tuple[Step, ...]:
        """Node by node, as soon as nothing of ours is under way on it."""
        self.phase = LaunchPhase.ROLLING_BACK
        busy = {self._step(i).node for i in self._begun - self._ended}
        steps = tuple(s for n in self._board if n not in busy for s in self._next_removal(n))
        self._give_out(steps)
        if not steps and not busy:
            self.phase = LaunchPhase.FAILED
        return steps

    def _next_removal(self, node: str) -> tuple[Step, ...]:
        if not self._touched(node) or self._board[node].reach is NodeStage.LOST:
            return ()
        removal = removal_steps(node, self.spec.container, mark="failed")
        steps = tuple(step for step in removal if step.id not in self._begun)[:1]
        self._taken_back |= {step.id: step for step in steps}
        return steps

    def _give_out(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self._begun.add(step.id)
            if step.id == self._starts.get(step.node):
                self._reach(step.node, NodeStage.STARTING, only_from=(NodeStage.WAITING,))
