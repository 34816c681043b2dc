"""A launch before and while it runs, as text."""

from __future__ import annotations

from typing import Any

import pytest
from rich.text import Text

from sparkconsole.errors import Refused, SparkError
from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.docker import Container
from sparkconsole.model.launch.spec import LABEL_LAUNCH, Backend, LaunchSpec
from sparkconsole.model.work.news import News, Remark, StepBegan, StepEnded
from sparkconsole.model.work.plan import Plan, Step, StepOutcome
from sparkconsole.tui.views.launch import show
from sparkconsole.tui.views.launch import show_checks as launch_checks
from sparkconsole.tui.views.launch import show_join as join
from sparkconsole.tui.views.launch.show import ClusterCondition


def container(state: str = "running", backend: Backend = Backend.RAY, name: str = "vllm_node") -> Container:
    labels = {LABEL_LAUNCH: LaunchSpec(backend=backend).recorded()}
    return Container(name, "c1", "vllm-node", "sha256:1", state, labels=labels)


def node(name: str, *own: Container, **more: Any) -> NodeState:
    return NodeState(name, **{"reach": Reachability.UP, "containers": own, **more})


def plain(lines: list[Text]) -> list[str]:
    return [line.plain for line in lines]


# --- what stands now


def test_nothing_runs_only_when_every_node_said_so() -> None:
    assert show.cluster_status([node("a"), node("b")], "vllm_node").state is ClusterCondition.NOTHING
    assert show.cluster_status([node("a"), NodeState("b")], "vllm_node").state is ClusterCondition.UNKNOWN
    assert show.cluster_status([], "vllm_node").state is ClusterCondition.UNKNOWN
    lost = show.cluster_status([node("a"), node("b", reach=Reachability.LOST)], "vllm_node")
    assert show.status_lines(lost, 2, 78)[0].plain.endswith("unknown: b")


def test_all_running_and_joined_is_complete() -> None:
    now = show.cluster_status(
        [node("a", container(), ray_alive=True), node("b", container(), ray_alive=True)], "vllm_node"
    )
    assert now.state is ClusterCondition.COMPLETE
    (line,) = show.status_lines(now, 2, 78)
    assert line.plain.startswith("● vllm_node runs on 2 of 2 (ray)")
    assert line.plain.endswith("5: serve a model")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (node("b"), "b: no container"),
        (node("b", container("exited")), "b: container exited"),
        (node("b", container(), ray_alive=False), "b: not in the Ray cluster"),
    ],
)
def test_half_running_says_which_node_and_why_and_offers_repair(second: NodeState, told: str) -> None:
    now = show.cluster_status([node("a", container(), ray_alive=True), second], "vllm_node")
    assert now.state is ClusterCondition.HALF
    assert now.wrong == (told,)
    first, why = show.status_lines(now, 2, 78)
    assert "F repair…" in first.plain
    assert told in why.plain


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (node("b", container(), reach=Reachability.LOST, reason="no route"), "b is unknown: no route"),
        (NodeState("b", reach=Reachability.UP), "b: not queried yet"),
        (
            NodeState("b", reach=Reachability.UP, docker_error="docker did not answer"),
            "b is unknown: docker did not answer",
        ),
    ],
)
def test_what_is_not_seen_is_neither_half_nor_whole_and_is_not_repaired(second: NodeState, told: str) -> None:
    now = show.cluster_status([node("a", container(), ray_alive=True), second], "vllm_node")
    assert (now.state, now.running, now.wrong) == (ClusterCondition.UNSURE, ("a",), (told,))
    first, why = show.status_lines(now, 2, 78)
    assert first.plain.startswith("? vllm_node runs on the 1 of 2 that answer (ray)")
    assert "F repair" not in first.plain
    assert told in why.plain


def test_what_is_wrong_where_it_was_seen_is_half_running_whatever_the_others_do() -> None:
    nodes = [
        node("a", container(), ray_alive=True),
        node("b"),
        node("c", reach=Reachability.LOST, reason="no route"),
    ]
    now = show.cluster_status(nodes, "vllm_node")
    assert (now.state, now.wrong) == (ClusterCondition.HALF, ("b: no container", "c is unknown: no route"))


def test_solo_needs_the_head_only_and_another_name_is_another_cluster() -> None:
    solo = [node("a", container(backend=Backend.SOLO)), node("b")]
    assert show.cluster_status(solo, "vllm_node").state is ClusterCondition.COMPLETE
    assert "runs on a (solo)" in show.status_lines(show.cluster_status(solo, "vllm_node"), 2, 78)[0].plain
    assert (
        show.cluster_status([node("a", container(name="vllm_node_2"))], "vllm_node").state
        is ClusterCondition.NOTHING
    )


def test_without_ray_nobody_has_to_join() -> None:
    nodes = [node(n, container(backend=Backend.NONE), ray_alive=False) for n in "ab"]
    assert show.cluster_status(nodes, "vllm_node").state is ClusterCondition.COMPLETE


def test_the_key_gives_way_before_the_sentence() -> None:
    now = show.cluster_status([node("a", container(), ray_alive=True)], "vllm_node")
    assert "R restart" not in show.status_lines(now, 1, 30)[0].plain


# --- pages


def test_the_page_is_in_brackets() -> None:
    assert show.pages_line("review").plain == "  Nodes  ›  Network  ›  Container  › [Review]"


def test_nodes_stand_in_their_order_with_their_part() -> None:
    rows = show.node_rows(
        [node("b"), node("a", reach=Reachability.LOST, reason="[/x]")],
        {"b": {"address": "10.0.0.1"}},
        solo=False,
    )
    assert [r.key for r in rows] == ["b", "a"]
    cells = [str(c) for c in rows[1].cells]
    assert cells[2:4] == ["worker", "✖ lost: [/x]"]
    assert str(rows[0].cells[5]) == "10.0.0.1"
    assert str(show.node_rows([node("b"), node("a")], {}, solo=True)[1].cells[2]) == "unused"


def test_a_lost_node_is_told_with_what_to_do() -> None:
    lost = node("b", reach=Reachability.LOST, reason="no route to host [/x]", hint="is it on?")
    assert plain(show.lost_lines([node("a"), lost], 76)) == ["✖ b: no route to host [/x] → is it on?"]
    many = [node(f"n{i}", reach=Reachability.LOST, reason="no route") for i in range(64)]
    assert len(show.lost_lines(many, 76)) == 4


def test_how_other_nodes_are_said_is_told() -> None:
    told = " ".join(plain(show.subset_lines(["a", "b"], 76)))
    assert "sparkconsole --nodes b,a" in told
    assert show.subset_lines(["a"], 76) == []


def test_the_network_of_each_node_and_a_lost_one() -> None:
    known = {
        "node": "a",
        "reachable": True,
        "eth_if": "enp1s0f1np1",
        "address": "192.168.177.11",
        "hcas": ["rocep1s0f1", "roceP2p1s0f1"],
        "gid_index": 3,
        "mtu": 9000,
    }
    lost = {"node": "b", "reachable": False}
    first, second = show.network_rows([known, lost])
    assert [str(c) for c in first.cells] == [
        "a",
        "enp1s0f1np1",
        "192.168.177.11",
        "rocep1s0f1, roceP2p1s0f1",
        "3",
        "9000",
    ]
    assert str(second.cells[1]) == "✖ lost"
    slow = {**known, "hcas": [], "eth_if": None, "gid_index": None}
    assert [str(c) for c in show.network_rows([slow])[0].cells[1:5:2]] == ["○ none", "○ none"]
    mistyped = dict.fromkeys(known) | {"node": "a", "reachable": True}
    (row,) = show.network_rows([mistyped])
    assert [str(c) for c in row.cells] == ["a", "○ none", "–", "○ none", "–", "–"]


# --- plan and checks

PLAN = Plan(
    "launch vllm_node (ray) on a, b",
    (
        Step(
            "a:folders", "a", "make the folders", ("sh", "-c", "for d do\n[ -e ]\ndone", "folders", "/home/x")
        ),
        Step("a:start", "a", "start the head container", ("docker", "run", "-d", "img", "ray", "start")),
        Step("b:start", "b", "start the worker container", ("docker", "run", "-d", "img", "ray", "start")),
    ),
    notes=("a: head, enp1s0f1np1 192.168.177.11",),
)


@pytest.mark.parametrize("width", [60, 76, 98, 120, 156])
def test_every_step_and_its_command_stand_in_the_plan(width: int) -> None:
    lines = plain(show.plan_lines(PLAN, width))
    text = "\n".join(lines)
    assert "sh -c … folders /home/x" in text
    assert text.count("docker run -d img ray start") == 2
    assert "a: head, enp1s0f1np1" in lines[-1]
    assert all(len(line) <= width for line in lines)
    assert show.plan_title(PLAN) == "plan · 3 steps on 2 nodes"


def test_a_refusal_says_why_what_to_do_and_which_key() -> None:
    error = Refused("the cluster is half-running", hint="sparkconsole launch --repair, or stop", node="b")
    assert plain(show.refused_lines(error, 76)) == [
        "✖ b: the cluster is half-running",
        "→ sparkconsole launch --repair, or stop",
        "F repairs it, D takes it down",
    ]
    missing = Refused("the image x is not on b", hint="sparkconsole image copy x", node="b")
    assert plain(show.refused_lines(missing, 76))[-1] == "3 goes to the images"


def test_nothing_to_do_is_said_as_what_it_is() -> None:
    now = show.cluster_status([node("a", container(), ray_alive=True)], "vllm_node")
    told = show.explained(SparkError("launch has nothing to do"), now)
    assert "already running" in told.cause
    other = SparkError("boom")
    assert show.explained(other, now) is other


def finding(check: str, severity: str, node_: str = "", sentence: str = "s", remedy: str = "") -> Finding:
    return Finding(check, Severity(severity), node_, sentence, remedy)


def test_what_is_wrong_comes_first_with_what_to_do() -> None:
    findings = [
        finding("docker", "ok", "a", "docker 29"),
        finding("docker", "ok", "b", "docker 29"),
        finding("mtu", "warn", "", "MTU differs: a 9000, b 1500", "set the same MTU"),
        finding("ports", "fail", "a", "port 6379 is in use [/x]", "ss -ltnp"),
    ]
    lines = plain(launch_checks.check_lines(findings, 76))
    assert lines[0] == "✖ a: port 6379 is in use [/x]"
    assert lines[1].strip() == "→ ss -ltnp"
    assert lines[2] == "! MTU differs: a 9000, b 1500"
    assert lines[-1].strip() == "✔ docker: docker 29 (a, b)"
    assert launch_checks.checks_title(findings) == "checks · 1 failed · 1 warning · 1 ok"
    assert launch_checks.checks_title(None) == "checks"


def test_network_doubts_are_counted_when_there_is_no_room() -> None:
    findings = [finding("fabric", "warn", f"n{i}", f"rail{i} is down") for i in range(9)]
    lines = plain(launch_checks.network_doubts(findings, 60, 4))
    assert len(lines) == 4
    assert lines[-1].strip() == "… and 6 more lines"


# --- the board


def board(*news: News, done: bool = False) -> dict[str, join.JoinLine]:
    return {line.node: line for line in join.board(PLAN, ("a", "b", "c"), news, done=done)}


def test_only_nodes_of_the_plan_are_on_the_board_and_they_wait_at_first() -> None:
    lines = board()
    assert list(lines) == ["a", "b"]
    assert (lines["a"].part, lines["b"].part) == ("head", "worker")
    assert not lines["a"].arrived


def test_a_node_goes_from_container_to_ray_to_gpu() -> None:
    assert board(StepBegan("a", "start the head container"))["a"].container == "on"
    assert board(Remark("container started", "a"))["a"].container == "on"
    up = board(Remark("running: Ray does not list it yet", "a"))["a"]
    assert (up.container, up.ray, up.why) == ("yes", "on", "Ray does not list it yet")
    blind = board(Remark("joined: Ray sees no GPU on it", "a"))["a"]
    assert (blind.ray, blind.gpu, blind.arrived) == ("yes", "on", False)
    assert board(Remark("running", "a"), Remark("joined", "a"))["a"].arrived


def test_a_failure_stands_at_the_stage_that_was_not_passed_and_first_on_the_board() -> None:
    lines = board(
        Remark("joined", "a"),
        Remark("running", "b"),
        Remark("failed: ConnectionError: a:6379 timed out", "b", "error"),
    )
    assert (lines["b"].container, lines["b"].ray) == ("yes", "bad")
    rows = join.board_rows(tuple(lines.values()))
    assert [r.key for r in rows] == ["b", "a"]
    assert str(rows[0].cells[-1]) == "ConnectionError: a:6379 timed out"
    after = board(Remark("running", "b"), Remark("failed: it died", "b"), Remark("removed: it died", "b"))[
        "b"
    ]
    assert after.why == "it died; removed"


def test_a_failed_step_tells_its_detail_and_a_lost_node_is_unknown() -> None:
    ended = StepEnded(StepOutcome(PLAN.steps[1], ok=False, detail="no such image"))
    assert board(ended)["a"].why == "no such image"
    assert board(Remark("unknown: the connection was lost", "b"))["b"].container == "bad"


def test_remarks_that_are_no_stage_change_nothing() -> None:
    assert (
        board(Remark("could not be looked at: x", "a"), Remark("runningless", "a"), Remark("joined"))["a"]
        == board()["a"]
    )


def test_without_ray_there_is_only_the_container() -> None:
    step = Step("a:start", "a", "start", ("docker", "run", "img", "sleep", "infinity"))
    (line,) = join.board(Plan("launch", (step,)), ("a", "b"), [Remark("running", "a")])
    assert line.arrived
    assert str(join.board_rows([line])[0].cells[3]) == "– n/a"


def test_when_it_is_over_all_have_arrived() -> None:
    lines = tuple(board(done=True).values())
    assert all(line.arrived for line in lines)
    assert join.summary(lines, running=False, failed=False).plain == "✔ 2 of 2 nodes are ready"
    bad = tuple(board(Remark("failed: x", "b")).values())
    assert join.summary(bad, running=False, failed=True).plain == "✖ 0 of 2 nodes are ready, 1 failed"
