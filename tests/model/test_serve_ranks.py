"""Data parallel over nodes, a second server beside a first: planned rightly, or refused with the reason."""

from __future__ import annotations

import shlex

import pytest
from pydantic import ValidationError

from sparkconsole.errors import WrongUsage
from sparkconsole.model.facts import Memory
from sparkconsole.model.launch.spec import Backend, LaunchSpec
from sparkconsole.model.serve.engine import LiveRank
from sparkconsole.model.serve.memory_left import crowded, freed, share_left, unjudged
from sparkconsole.model.serve.ranks import USUAL, Meeting, Rank, free_meeting, serve_ranks
from sparkconsole.model.serve.spec import ServeSpec

NODES = ("a", "b", "c", "d")
ADDRESSES = {n: f"192.168.177.{i}" for i, n in enumerate(NODES, 11)}
GIB = 1 << 30


def ranks(spec: ServeSpec, backend: Backend, count: int = 2, meeting: Meeting = USUAL) -> tuple[Rank, ...]:
    return serve_ranks(spec, backend, NODES[:count], ADDRESSES, meeting)


def said(rank: Rank) -> str:
    return shlex.join(rank.argv)


SPELLINGS = [
    {"data_parallel": 2},
    {"extra": ("--data-parallel-size", "2")},
    {"extra": ("--data_parallel_size=2",)},
    {"extra": ("-dp", "2")},
]


@pytest.mark.parametrize("how", SPELLINGS, ids=str)
def test_copies_over_nodes_are_a_rank_each(how: dict[str, object]) -> None:
    spec = ServeSpec.model_validate({"model": "m", "tensor_parallel": 1, **how})
    worker, lead = ranks(spec, Backend.NONE)
    assert (worker.node, worker.rank, lead.node, lead.rank) == ("b", 1, "a", 0)
    for rank in (worker, lead):
        assert f"--nnodes 2 --node-rank {rank.rank} --master-addr 192.168.177.11" in said(rank)
        assert said(rank).count("2 ") >= 1
        assert sum(w.startswith(("-dp", "--data")) for w in rank.argv) == 1, "said once"
    assert "--headless" in worker.argv
    assert "--headless" not in lead.argv


def test_copies_of_two_nodes_each_take_four() -> None:
    found = ranks(ServeSpec(model="m", tensor_parallel=2, data_parallel=2), Backend.NONE, 4)
    assert [r.rank for r in found] == [3, 2, 1, 0]
    assert all("-tp 2 -dp 2 --nnodes 4" in said(r) for r in found)


def test_without_a_word_about_tensor_parallel_the_copies_share_the_nodes() -> None:
    (worker, lead) = ranks(ServeSpec(model="m", data_parallel=2), Backend.NONE)
    assert "-dp 2" in said(lead)
    assert "-tp" not in worker.argv


def test_with_ray_each_copy_is_on_a_node_of_its_own() -> None:
    (only,) = ranks(ServeSpec(model="m", tensor_parallel=1, data_parallel=2), Backend.RAY)
    assert (
        "-dp 2 --distributed-executor-backend ray --data-parallel-backend ray --data-parallel-size-local 1"
        in (said(only))
    )


def test_with_ray_a_copy_over_several_nodes_is_refused_with_the_reason() -> None:
    with pytest.raises(WrongUsage, match="one node, and a node has one GPU") as no:
        ranks(ServeSpec(model="m", tensor_parallel=2, data_parallel=2), Backend.RAY, 4)
    assert "--backend none" in no.value.hint


@pytest.mark.parametrize(
    ("how", "backend", "count"),
    [
        ({"tensor_parallel": 2, "data_parallel": 2}, Backend.NONE, 2),
        ({"extra": ("-dp", "2")}, Backend.SOLO, 1),
        ({"extra": ("--tensor-parallel-size", "4")}, Backend.RAY, 2),
        ({"extra": ("-pp=3",)}, Backend.NONE, 2),
    ],
)
def test_more_ranks_than_nodes_are_refused_wherever_they_were_said(
    how: dict[str, object], backend: Backend, count: int
) -> None:
    with pytest.raises(WrongUsage, match=f"GPUs, and {count} "):
        ranks(ServeSpec.model_validate({"model": "m", **how}), backend, count)


@pytest.mark.parametrize(
    "extra",
    [
        ("--node-rank", "1"),
        ("-r", "1"),
        ("--nnodes=2",),
        ("--master_port", "1"),
        ("--headless",),
        ("-dpr", "1"),
        ("--data-parallel-address", "x"),
        ("--api_key", "x"),
        ("--api-ke", "x"),
        ("--served_model_name", "x"),
        ("--tensor-parallel-size", "two"),
        ("-dp", "0"),
        ("-dp",),
    ],
)
def test_what_is_planned_here_is_not_taken_behind_the_dashes(extra: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        ServeSpec(model="m", extra=extra)


# --- a second server


def running(port: int, *words: str, node: str = "a", rank: int = 0) -> LiveRank:
    return LiveRank(node, 100 + port, ("vllm", "serve", "org/first", "--port", str(port), *words), "")


def test_a_second_server_meets_elsewhere() -> None:
    first = running(8888, "--nnodes", "2", "--node-rank", "0", "--master-port", "29501")
    assert free_meeting(29501, (first,), {8888}) == Meeting(29502, 29551)
    assert free_meeting(29501, (), {29501, 29552}) == Meeting(29502, 29551)
    alone = running(8888)
    assert free_meeting(29501, (alone,), {8888}) == Meeting(29501, 29550)


def test_copies_of_a_second_server_report_to_their_own() -> None:
    first = running(8888, "-dp", "2", "--nnodes", "2", "--node-rank", "0", "--master-port", "29501")
    meeting = free_meeting(29501, (first,), set())
    for rank in ranks(ServeSpec(model="m", tensor_parallel=1, data_parallel=2), Backend.NONE, 2, meeting):
        assert f"--master-port {meeting.master}" in said(rank)
        assert f"--data-parallel-rpc-port {meeting.rpc}" in said(rank)
    assert meeting.rpc != 29550


def test_ray_gives_the_heads_gpu_once() -> None:
    first = (running(8888), running(8888, node="b"))
    assert crowded(LaunchSpec(), "a", first)
    assert not crowded(LaunchSpec(), "a", ())
    assert not crowded(LaunchSpec(ray_num_gpus=2), "a", first)
    assert not crowded(LaunchSpec(backend=Backend.NONE), "a", first)


def test_what_is_left_keeps_the_systems_part_and_the_tightest_node_decides() -> None:
    idle, half = Memory(120 * GIB, 116 * GIB), Memory(120 * GIB, 56 * GIB)
    assert share_left((idle,)) == 0.9
    assert share_left((idle, half)) == 0.4
    assert share_left((Memory(120 * GIB, 5 * GIB),)) == 0.0
    assert share_left(()) == 0.0


def test_memory_comes_back_by_the_share_that_was_given_and_never_more_than_there_is() -> None:
    memory = {"a": Memory(100 * GIB, 10 * GIB), "b": Memory(100 * GIB, 90 * GIB)}
    found = freed(memory, (running(8888, "--gpu_memory_utilization", "0.5"), running(8888, node="b")))
    assert found["a"].available == 60 * GIB
    assert found["b"].available == 100 * GIB


def test_a_server_that_ray_spread_holds_memory_on_every_node_it_spans() -> None:
    memory = {n: Memory(100 * GIB, 10 * GIB) for n in ("a", "b", "c")}
    found = freed(memory, (running(8888, "-tp", "2", "--gpu-memory-utilization", "0.5"),))
    assert [found[n].available // GIB for n in ("a", "b", "c")] == [60, 60, 10]


@pytest.mark.parametrize("word", ["-q", "--quantization=fp8", "--hf_overrides", "--config"])
def test_what_changes_the_arithmetic_is_named(word: str) -> None:
    assert unjudged(ServeSpec(model="m", extra=(word, "x")))
    assert not unjudged(ServeSpec(model="m", extra=("--kv-cache-dtype", "fp8")))
