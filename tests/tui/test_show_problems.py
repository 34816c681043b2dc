"""What the Cluster view says is wrong: what many nodes have is one thing, and a row says what is its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sparkconsole.fleet.store import Store
from sparkconsole.tui.views.cluster.show_card import card_lines
from sparkconsole.tui.views.cluster.show_problems import problem_line, problems
from tests.tui import stores
from tests.tui.stores import scene


def without_image(store: Store, names: list[str]) -> None:
    for name in names:
        look = store.nodes[name].look
        assert look is not None
        store.update(name, look=replace(look, image=None), images=())


def told(store: Store) -> list[str]:
    found = problems(store, scene(store))
    assert problem_line(found, 80).cell_len <= 80
    return [p.text for p in found]


@pytest.mark.parametrize("count", [2, 8, 64])
def test_what_all_nodes_lack_is_one_problem(count: int) -> None:
    store = stores.filled(count)
    without_image(store, list(store.nodes))
    assert told(store) == [f"! {count} nodes: image missing (vllm-node)"]
    line = problem_line(problems(store, scene(store)), 80).plain
    assert f"n: next of {count} nodes" in line
    assert "problems" not in line


def test_what_some_nodes_lack_says_how_many_of_all() -> None:
    store = stores.filled(64)
    without_image(store, ["spark-03", "spark-09", "spark-64"])
    (one,) = problems(store, scene(store))
    assert one.text == "! 3 of 64 nodes: image missing (vllm-node)"
    assert one.nodes == ("spark-03", "spark-09", "spark-64"), "n goes to these"


@pytest.mark.parametrize("count", [8, 64])
def test_what_differs_by_a_number_is_one_problem_too(count: int) -> None:
    store = stores.filled(count)
    for i, name in enumerate(list(store.nodes)[:3]):
        look = store.nodes[name].look
        assert look is not None
        store.update(name, look=replace(look, clock_ahead_s=40.0 + i))
    for name in list(store.nodes)[3:]:
        look = store.nodes[name].look
        assert look is not None
        store.update(name, look=replace(look, clock_ahead_s=0.0))
    assert told(store) == [f"! 3 of {count} nodes: its clock is 40 to 42 s ahead of the others"]


def test_nodes_that_are_lost_for_one_reason_are_one_problem() -> None:
    store = stores.filled(64)
    for name in list(store.nodes)[:5]:
        stores.lose(store, name)
    stores.lose(store, "spark-40", "no route to host")
    first, second = told(store)
    assert first == "✖ 5 of 64 nodes: lost: the connection was lost: no answer for 15 s"
    assert second.startswith("✖ spark-40 lost 48s ago: no route to host")


def test_each_thing_of_a_node_is_a_problem() -> None:
    store = stores.filled(8)
    without_image(store, list(store.nodes))
    reading = store.nodes["spark-02"].reading
    assert reading is not None
    store.update("spark-02", reading=replace(reading, disk_free=0))
    assert len(told(store)) == 2
    assert "n: next of 2 problems" in problem_line(problems(store, scene(store)), 80).plain


def row(store: Store, label: str, height: int = 9) -> str:
    lines = card_lines(store.nodes["spark-01"], scene(store), 40, height)
    return next((line.plain for line in lines if line.plain.startswith(label)), "")


def test_the_row_of_nccl_has_only_what_is_nccls() -> None:
    store = stores.filled(2)
    without_image(store, list(store.nodes))
    assert row(store, "nccl").split() == ["nccl", "NET/IB", "×2", "no", "warning"]
    assert row(store, "warn").split(None, 1)[1] == "! image missing (vllm-node)"


def test_what_is_wrong_with_nccl_stands_in_its_row() -> None:
    store = stores.filled(2)
    warnings = {"spark-01": ("NCCL_IB_DISABLE=1 keeps NCCL off RDMA",)}
    lines = card_lines(store.nodes["spark-01"], scene(store, warnings=warnings), 90, 9)
    (nccl,) = [line.plain for line in lines if line.plain.startswith("nccl")]
    assert "! NCCL_IB_DISABLE=1" in nccl
    assert not [line for line in lines if line.plain.startswith("warn")]


def test_a_card_without_trouble_has_no_row_for_it() -> None:
    assert row(stores.filled(2), "warn") == ""
