"""Whatever the order of events: every node joined, or nothing of ours left and one real cause."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from sparkconsole.model.docker import Container
from sparkconsole.model.launch.site import Site
from sparkconsole.model.launch.spec import Backend, LaunchSpec, Role, Seat
from sparkconsole.model.launch.state import (
    CancelAsked,
    ContainerDied,
    ContainerSeen,
    Event,
    LaunchPhase,
    LaunchState,
    MembersSeen,
    NodeLost,
    NodeStage,
    StepDone,
    StepFailed,
    TimeUp,
    Why,
)
from sparkconsole.model.launch.steps import start_plan
from sparkconsole.model.ray import RayMember
from sparkconsole.model.work.plan import Step

NAMES = ("n1", "n2", "n3")
ADDRESSES = {"n1": "10.0.0.1", "n2": "10.0.0.2", "n3": "10.0.0.3"}


class _At:
    """As much of a network as a seat needs here."""

    def __init__(self, address: str) -> None:
        self.address = address


def seats() -> tuple[Seat, ...]:
    roles = (Role.HEAD, Role.WORKER, Role.WORKER)
    return tuple(
        Seat(n, r, f"/home/{n}", _At(ADDRESSES[n]), "10.0.0.1")  # type: ignore[arg-type]
        for n, r in zip(NAMES, roles, strict=True)
    )


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are about the order of steps; what the containers get is another file's matter."""
    monkeypatch.setattr("sparkconsole.model.launch.docker_run.environment", lambda network, nccl_debug: {})


def machine(
    spec: LaunchSpec | None = None,
    *,
    start: tuple[str, ...] = NAMES,
    before: frozenset[str] = frozenset(),
    found: Container | None = None,
) -> LaunchState:
    spec = spec or LaunchSpec()
    sites = {n: Site(n, f"/home/{n}", 1, frozenset(), found) for n in NAMES}
    return LaunchState(spec, seats(), start_plan(spec, seats(), sites, start, title="t"), before=before)


def member(node: str, *, alive: bool = True, gpus: float = 1, key: str = "") -> RayMember:
    return RayMember(key or node, ADDRESSES[node], node == "n1", alive, gpus)


ALL_IN = MembersSeen(tuple(member(n) for n in NAMES))


class Nodes:
    """What runs where: follows the steps that are given out, as real machines would."""

    def __init__(self, state: LaunchState) -> None:
        self.state, self.running = state, set[str]()
        self.waiting: list[Step] = []
        self.given: list[str] = []
        self.take(state.begin())

    def take(self, steps: tuple[Step, ...]) -> None:
        assert not set(self.given) & {s.id for s in steps}, "a step is given out once"
        self.given += [s.id for s in steps]
        self.waiting += steps

    def feed(self, event: Event) -> None:
        self.take(self.state.feed(event))

    def finish(self, *, fail: str = "", not_ours: bool = False) -> None:
        """Ends the step that waits longest; the one called `fail` fails, its container left half-made."""
        step = self.waiting.pop(0)
        kind = step.id.partition(":")[2]
        if kind == "start":
            self.running.add(step.node)
        if kind.endswith("-remove"):
            self.running.discard(step.node)
        if step.id == fail:
            self.feed(StepFailed(step.id, Why("it broke"), not_ours=not_ours))
        else:
            self.feed(StepDone(step.id))

    def settle(self, *, fail: str = "") -> None:
        for _ in range(100):
            if not self.waiting:
                return
            self.finish(fail=fail)
        raise AssertionError("it never settles")


def test_head_and_workers_start_side_by_side() -> None:
    nodes = Nodes(machine())
    assert nodes.given == [f"{n}:folders" for n in NAMES]
    for _ in NAMES:
        nodes.finish()
    assert nodes.given[3:] == [f"{n}:start" for n in NAMES]


def test_ready_only_when_every_node_is_alive_with_its_gpu() -> None:
    nodes = Nodes(machine())
    nodes.settle()
    assert nodes.state.phase is LaunchPhase.GATHERING
    for seen in (
        (member("n1"),),
        (member("n1"), member("n2"), member("n3", alive=False)),
        (member("n1"), member("n2"), member("n3", gpus=0)),
        (member("n1"), member("n2"), member("n2", key="again")),
    ):
        nodes.feed(MembersSeen(seen))
        assert nodes.state.phase is LaunchPhase.GATHERING
    assert [s.reach for s in nodes.state.board()] == [NodeStage.JOINED, NodeStage.JOINED, NodeStage.UP]
    nodes.feed(ALL_IN)
    assert nodes.state.phase is LaunchPhase.READY
    assert nodes.feed(NodeLost("n2", Why("late"))) is None
    assert nodes.state.phase is LaunchPhase.READY


def test_members_may_join_before_the_last_step_is_known_to_have_ended() -> None:
    nodes = Nodes(machine())
    for _ in range(5):
        nodes.finish()
    nodes.feed(ALL_IN)
    assert nodes.state.phase is LaunchPhase.STARTING
    nodes.finish()
    nodes.feed(ALL_IN)
    assert nodes.state.phase is LaunchPhase.READY


@pytest.mark.parametrize("gpus", [0, None])
def test_where_no_gpus_are_asked_for_none_are_waited_for(gpus: int | None) -> None:
    nodes = Nodes(machine(LaunchSpec(gpus=False, ray_num_gpus=gpus)))
    nodes.settle()
    nodes.feed(MembersSeen(tuple(member(n, gpus=0) for n in NAMES)))
    assert nodes.state.phase is LaunchPhase.READY


def test_without_ray_ready_is_every_container_seen_running_after_it_started() -> None:
    nodes = Nodes(machine(LaunchSpec(backend=Backend.NONE)))
    nodes.settle()
    nodes.feed(ContainerSeen("n1"))
    nodes.feed(ContainerSeen("n2"))
    assert nodes.state.phase is LaunchPhase.GATHERING
    nodes.feed(ContainerSeen("n3"))
    assert nodes.state.phase is LaunchPhase.READY


@pytest.mark.parametrize("step", [f"{n}:{kind}" for n in NAMES for kind in ("folders", "start")])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_failing_step_in_any_order_leaves_nothing(step: str, order: tuple[int, ...]) -> None:
    nodes = Nodes(machine())
    nodes.waiting = [nodes.waiting[i] for i in order]
    nodes.settle(fail=step)
    assert nodes.state.phase is LaunchPhase.FAILED
    assert nodes.running == set()
    assert nodes.state.failure is not None
    assert (nodes.state.failure.node, nodes.state.failure.why.cause) == (step.partition(":")[0], "it broke")


TROUBLES: tuple[Event, ...] = (
    ContainerDied("n2", Why("it died")),
    NodeLost("n3", Why("power")),
    TimeUp(180),
    CancelAsked(),
    MembersSeen((member("n1"),)),
    ContainerSeen("n1"),
)


@pytest.mark.parametrize("events", list(itertools.permutations(TROUBLES, 3)))
@pytest.mark.parametrize("after", [0, 2, 4, 6])
def test_troubles_in_any_order_at_any_moment_leave_nothing_on_nodes_that_answer(
    events: tuple[Event, ...], after: int
) -> None:
    nodes = Nodes(machine())
    for _ in range(after):
        nodes.finish()
    for event in events:
        nodes.feed(event)
    nodes.settle()
    trouble = [e for e in events if not isinstance(e, (MembersSeen, ContainerSeen))]
    assert trouble, "every choice of three has one"
    assert nodes.state.phase is LaunchPhase.FAILED
    lost = {e.node for e in events if isinstance(e, NodeLost)}
    assert nodes.running <= lost
    assert {f.node for f in nodes.state.leftovers} >= nodes.running


def test_logs_are_kept_before_a_container_is_removed() -> None:
    nodes = Nodes(machine())
    nodes.settle()
    nodes.feed(ContainerDied("n3", Why("it died")))
    nodes.settle()
    for n in NAMES:
        assert nodes.given.index(f"{n}:failed-log") < nodes.given.index(f"{n}:failed-remove")


def test_a_node_is_taken_back_only_when_its_own_start_has_ended() -> None:
    nodes = Nodes(machine())
    for _ in range(4):
        nodes.finish()
    nodes.feed(CancelAsked())
    assert "n1:failed-log" in nodes.given
    assert "n2:failed-log" not in nodes.given
    assert nodes.state.phase is LaunchPhase.ROLLING_BACK
    nodes.settle()
    assert nodes.state.phase is LaunchPhase.FAILED
    assert nodes.running == set()


def test_someone_elses_container_of_the_same_name_is_left_alone() -> None:
    nodes = Nodes(machine())
    for _ in range(4):
        nodes.finish()
    nodes.finish(fail="n2:start", not_ours=True)
    nodes.settle()
    assert nodes.state.phase is LaunchPhase.FAILED
    assert not any(i.startswith("n2:failed") for i in nodes.given)


def test_the_cause_is_the_heads_and_not_what_follows_from_it() -> None:
    nodes = Nodes(machine())
    nodes.settle()
    nodes.feed(ContainerDied("n2", Why("no head to be reached", follows=True)))
    nodes.feed(ContainerDied("n1", Why("port 6379 is in use")))
    nodes.settle()
    assert nodes.state.failure is not None
    assert (nodes.state.failure.node, nodes.state.failure.why.cause) == ("n1", "port 6379 is in use")


def test_time_up_names_who_is_missing_and_why() -> None:
    nodes = Nodes(machine())
    nodes.settle()
    nodes.feed(MembersSeen((member("n1"), replace(member("n3"), alive=False, message="preempted"))))
    nodes.feed(TimeUp(180))
    nodes.settle()
    failure = nodes.state.failure
    assert failure is not None
    assert failure.node == "n2"
    assert "180 s" in failure.why.cause
    assert "n2 (running: Ray does not list it yet); n3 (running: preempted)" in failure.why.cause


def test_time_up_while_ray_never_answered_says_so() -> None:
    nodes = Nodes(machine())
    nodes.settle()
    nodes.feed(TimeUp(5))
    nodes.settle()
    assert nodes.state.failure is not None
    assert nodes.state.failure.node == "n1"
    assert "Ray never answered" in nodes.state.failure.why.cause


def test_what_cannot_be_removed_is_told() -> None:
    nodes = Nodes(machine())
    nodes.settle()
    nodes.feed(CancelAsked())
    nodes.settle(fail="n2:failed-remove")
    assert nodes.state.phase is LaunchPhase.FAILED
    assert [f.node for f in nodes.state.leftovers] == ["n2"]


def test_a_repair_starts_only_the_worker_and_takes_only_it_back() -> None:
    nodes = Nodes(machine(start=("n3",)))
    assert nodes.given == ["n3:folders"]
    nodes.settle()
    nodes.feed(ContainerDied("n3", Why("again")))
    nodes.settle()
    assert nodes.state.phase is LaunchPhase.FAILED
    assert not any(i.startswith(("n1", "n2")) for i in nodes.given)


def test_after_a_repair_the_dead_workers_old_entry_does_not_count() -> None:
    """Ray calls a killed worker alive for up to half a minute."""
    nodes = Nodes(machine(start=("n3",), before=frozenset({"n1", "n2", "n3"})))
    nodes.settle()
    nodes.feed(ALL_IN)
    assert nodes.state.phase is LaunchPhase.GATHERING
    nodes.feed(MembersSeen((*ALL_IN.members, member("n3", key="new"))))
    assert nodes.state.phase is LaunchPhase.READY


def test_a_restart_removes_every_old_container_before_it_starts_one() -> None:
    nodes = Nodes(machine(found=Container("vllm_node", "c1", "vllm-node", "sha256:1", "running")))
    nodes.settle()
    last_removal = max(nodes.given.index(f"{n}:old-remove") for n in NAMES)
    assert last_removal < min(nodes.given.index(f"{n}:start") for n in NAMES)
    nodes.feed(ALL_IN)
    assert nodes.state.phase is LaunchPhase.READY
