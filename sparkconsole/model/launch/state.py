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


@dataclass(frozen=True, slots=True)
class ContainerDied:
    """The node's container ended, or is gone."""

    node: str
    why: Why


@dataclass(frozen=True, slots=True)
class MembersSeen:
    """Ray answered on the head."""

    members: tuple[RayMember, ...]


@dataclass(frozen=True, slots=True)
class NodeLost:
    """The connection to a node broke: what runs there is unknown."""

    node: str
    why: Why


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
        if not self.over:
            match event:
                case StepDone(id=step):
                    self._step_done(step)
                case StepFailed():
                    self._step_failed(event)
                case ContainerSeen(node=node):
                    self._reach(node, NodeStage.UP, only_from=(NodeStage.STARTED,))
                case MembersSeen(members=members):
                    self._members_seen(members)
                case _:
                    self._trouble(event)
            return self._advance()
        return ()

    def _trouble(self, event: Event) -> None:
        match event:
            case ContainerDied(node=node, why=why):
                self._fail(node, why, NodeStage.FAILED)
            case NodeLost(node=node, why=why):
                self._fail(node, why, NodeStage.LOST)
            case TimeUp(seconds=seconds):
                self._time_up(seconds)
            case CancelAsked():
                self._failures.insert(0, LaunchFailure("", Why("cancelled")))

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

    def _step_done(self, step: str) -> None:
        self._ended.add(step)
        node = self._step(step).node
        if step in self._taken_back:
            if step.endswith("-remove"):
                self._reach(node, NodeStage.REMOVED, keep_why=True)
            return
        self._done.add(step)
        if step == self._starts.get(node):
            self._reach(node, NodeStage.STARTED, only_from=(NodeStage.WAITING, NodeStage.STARTING))

    def _step_failed(self, event: StepFailed) -> None:
        self._ended.add(event.id)
        node = self._step(event.id).node
        if event.id in self._taken_back:
            if event.id.endswith("-remove"):
                self._leftovers.append(LaunchFailure(node, event.why))
            return
        if event.not_ours:
            self._not_ours.add(node)
        self._fail(node, event.why, NodeStage.LOST if event.lost else NodeStage.FAILED)

    def _fail(self, node: str, why: Why, reach: NodeStage) -> None:
        if f"{node}:failed-remove" in self._begun and reach is NodeStage.FAILED:
            return
        if not any(f.node == node for f in self._failures):
            self._failures.append(LaunchFailure(node, why))
        self._board[node] = replace(self._board[node], reach=reach, why=why.cause)

    def _reach(
        self, node: str, reach: NodeStage, *, only_from: tuple[NodeStage, ...] = (), keep_why: bool = False
    ) -> None:
        now = self._board[node]
        if not only_from or now.reach in only_from:
            self._board[node] = replace(now, reach=reach, why=now.why if keep_why else "")

    def _members_seen(self, members: tuple[RayMember, ...]) -> None:
        """Members from before do not count for the nodes this launch starts: Ray forgets the dead slowly."""
        fresh = tuple(m for m in members if m.id not in self._before or not self._restarted(m.address))
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

    def _restarted(self, address: str) -> bool:
        return any(s.address == address and s.node in self._starts for s in self.seats)

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
        each = int(self.spec.gpus) if asked is None else asked
        return each * len(self.seats)

    def _arrived(self, progress: NodeProgress) -> bool:
        if self._ray:
            return progress.reach is NodeStage.JOINED and not progress.why
        return progress.reach is NodeStage.UP

    def _touched(self, node: str) -> bool:
        return self._starts.get(node) in self._begun and node not in self._not_ours

    def _advance(self) -> tuple[Step, ...]:
        if self._failures:
            return self._take_back()
        steps = self.plan.ready(self._done, self._begun)
        self._give_out(steps)
        if not steps and self._done.issuperset(s.id for s in self.plan.steps):
            ready = all(self._arrived(s) for s in self.board()) and self._enough_gpus()
            self.phase = LaunchPhase.READY if ready else LaunchPhase.GATHERING
        return steps

    def _enough_gpus(self) -> bool:
        if not self._ray:
            return True
        return self._members is not None and gpu_count(self._members) >= self._gpus_expected

    def _take_back(self) -> tuple[Step, ...]:
        """Node by node, as soon as nothing of ours is under way on it."""
        self.phase = LaunchPhase.ROLLING_BACK
        busy = {self._step(i).node for i in self._begun - self._ended}
        steps = tuple(s for n in self._board if n not in busy for s in self._next_removal(n))
        self._give_out(steps)
        if not steps and not busy:
            self.phase = LaunchPhase.FAILED
        return steps

    def _next_removal(self, node: str) -> Iterable[Step]:
        if not self._touched(node) or self._board[node].reach is NodeStage.LOST:
            return
        for step in removal_steps(node, self.spec.container, mark="failed"):
            if step.id not in self._begun:
                self._taken_back[step.id] = step
                yield step
                return

    def _give_out(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self._begun.add(step.id)
            if step.id == self._starts.get(step.node):
                self._reach(step.node, NodeStage.STARTING, only_from=(NodeStage.WAITING,))
