"""Ray's own list of nodes is read as Ray means it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.errors import SparkError
from sparkconsole.model.ray import gpu_count, last_words, living
from sparkconsole.parse.serve.ray import parse_groups, parse_nodes


def _answer(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"result": True, "msg": "", "data": {"result": {"total": len(rows), "result": list(rows)}}}


def _row(node: str, address: str, state: str = "ALIVE", **more: Any) -> dict[str, Any]:
    return {"node_id": node, "node_ip": address, "state": state, "state_message": None} | more


def test_a_node_that_came_back_counts_once_whatever_its_dead_entries() -> None:
    members = parse_nodes(
        _answer(
            _row("a", "10.0.0.1", resources_total={"GPU": 1.0}, is_head_node=True),
            _row("b", "10.0.0.2", "DEAD", state_message="too many heartbeats", resources_total={"GPU": 1.0}),
            _row("c", "10.0.0.2", resources_total={"GPU": 1.0}),
        )
    )
    assert {a: m.id for a, m in living(members).items()} == {"10.0.0.1": "a", "10.0.0.2": "c"}
    assert gpu_count(members) == 2
    assert last_words(members, "10.0.0.2") == ""


def test_why_a_member_died_is_kept() -> None:
    members = parse_nodes(_answer(_row("b", "10.0.0.2", "DEAD", state_message="preempted")))
    assert last_words(members, "10.0.0.2") == "preempted"
    assert living(members) == {}


def test_no_gpu_in_the_resources_means_none() -> None:
    (member,) = parse_nodes(_answer(_row("a", "10.0.0.1", resources_total={"CPU": 2.0})))
    assert member.gpus == 0.0


@pytest.mark.parametrize(
    "payload",
    [None, [], {"result": False, "msg": "GCS is down", "data": {}}, {"data": {"result": {}}}],
)
def test_an_answer_of_another_shape_is_an_error_and_no_empty_cluster(payload: Any) -> None:
    for parse in (parse_nodes, parse_groups):
        with pytest.raises(SparkError):
            parse(payload)


def test_groups_that_keep_something_are_counted() -> None:
    states = ("CREATED", "PENDING", "REMOVED", "CREATED")
    assert parse_groups(_answer(*({"placement_group_id": s, "state": s} for s in states))) == 2
    assert parse_groups(_answer()) == 0


def test_a_real_group(captures_of_others: Path) -> None:
    text = (captures_of_others / "ray" / "api_v0_placement_groups.vllm-tp2.json").read_text()
    assert parse_groups(json.loads(text)) == 1


@pytest.mark.parametrize(
    ("file", "alive", "all_of_them"),
    [
        ("api_v0_nodes.json", 2, 2),
        ("api_v0_nodes.worker-dead.json", 1, 2),
        ("api_v0_nodes.several-dead.json", 1, 5),
    ],
)
def test_real_answers(captures_of_others: Path, file: str, alive: int, all_of_them: int) -> None:
    payload = json.loads((captures_of_others / "ray" / file).read_text())
    members = parse_nodes(payload)
    assert (len(living(members)), len(members), gpu_count(members)) == (alive, all_of_them, alive)
    assert next(m for m in members if m.head).address == "192.168.177.11"
