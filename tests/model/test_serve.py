"""The command of every rank, as vLLM gets it."""

from __future__ import annotations

import shlex

import pytest
from pydantic import ValidationError

from sparkconsole.errors import WrongUsage
from sparkconsole.model.launch.spec import Backend
from sparkconsole.model.serve.ranks import Meeting, Rank, serve_ranks, split_of
from sparkconsole.model.serve.spec import ServeSpec, notes, preset

NODES = ("a", "b", "c")
ADDRESSES = {"a": "192.168.177.11", "b": "192.168.177.12", "c": "192.168.177.13"}


def ranks(spec: ServeSpec, backend: Backend, count: int = 2) -> tuple[Rank, ...]:
    return serve_ranks(spec, backend, NODES[:count], ADDRESSES)


def said(rank: Rank) -> str:
    return shlex.join(rank.argv)


def test_with_ray_one_process_on_the_head() -> None:
    (only,) = ranks(ServeSpec(model="m"), Backend.RAY)
    assert (only.node, only.rank) == ("a", 0)
    assert said(only) == "vllm serve m --host 0.0.0.0 --port 8888 -tp 2 --distributed-executor-backend ray"


def test_without_ray_a_rank_on_every_node_and_workers_first() -> None:
    found = ranks(ServeSpec(model="m"), Backend.NONE, 3)
    assert [(r.node, r.rank) for r in found] == [("c", 2), ("b", 1), ("a", 0)]
    common = "vllm serve m --host 0.0.0.0 --port 8888 -tp 3 --nnodes 3"
    where = "--master-addr 192.168.177.11 --master-port 29501"
    assert [said(r) for r in found] == [
        f"{common} --node-rank 2 {where} --headless",
        f"{common} --node-rank 1 {where} --headless",
        f"{common} --node-rank 0 {where}",
    ]


def test_ranks_meet_on_the_port_of_the_launch() -> None:
    found = serve_ranks(ServeSpec(model="m"), Backend.NONE, NODES[:2], ADDRESSES, Meeting(29600))
    assert all("--master-port 29600" in said(r) for r in found)


def test_solo_knows_of_nobody() -> None:
    (only,) = ranks(ServeSpec(model="m"), Backend.SOLO, 1)
    assert said(only) == "vllm serve m --host 0.0.0.0 --port 8888"


def test_one_rank_of_several_nodes_needs_no_other() -> None:
    (only,) = ranks(ServeSpec(model="m", tensor_parallel=1), Backend.NONE)
    assert said(only) == "vllm serve m --host 0.0.0.0 --port 8888"


def test_fewer_ranks_than_nodes_take_the_first_nodes() -> None:
    found = ranks(ServeSpec(model="m", tensor_parallel=2), Backend.NONE, 3)
    assert {r.node for r in found} == {"a", "b"}


def test_flags_come_in_one_order_and_the_persons_words_last() -> None:
    spec = ServeSpec(
        model="org/m",
        tensor_parallel=1,
        pipeline_parallel=2,
        port=9000,
        host="127.0.0.1",
        gpu_memory_utilization=0.7,
        max_model_len=4096,
        max_num_seqs=8,
        dtype="float32",
        load_format="fastsafetensors",
        served_model_name="tiny",
        enforce_eager=True,
        trust_remote_code=True,
        offline=True,
        extra=("--override-generation-config", '{"a b": "$x"}', "ü\n"),
    )
    (only,) = ranks(spec, Backend.RAY)
    assert only.argv == (
        "env", "HF_HUB_OFFLINE=1", "vllm", "serve", "org/m", "--host", "127.0.0.1", "--port", "9000",
        "-pp", "2", "--gpu-memory-utilization", "0.7", "--max-model-len", "4096",
        "--max-num-seqs", "8", "--dtype", "float32",
        "--load-format", "fastsafetensors", "--served-model-name", "tiny",
        "--enforce-eager", "--trust-remote-code",
        "--distributed-executor-backend", "ray", "--override-generation-config", '{"a b": "$x"}', "ü\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    "words", [("--distributed-executor-backend", "mp"), ("--distributed-executor-backend=mp",)]
)
@pytest.mark.parametrize("backend", [Backend.NONE, Backend.SOLO])
def test_an_executor_is_dropped_where_it_cannot_be_another(backend: Backend, words: tuple[str, ...]) -> None:
    spec = ServeSpec(model="m", extra=("--before", *words, "--behind"))
    for rank in ranks(spec, backend, 2 if backend is Backend.NONE else 1):
        assert rank.argv[-2:] == ("--before", "--behind")
        assert "mp" not in said(rank).split()


@pytest.mark.parametrize(
    "words", [("--distributed-executor-backend", "mp"), ("--distributed-executor-backend=mp",)]
)
def test_an_executor_that_is_named_is_kept_with_ray(words: tuple[str, ...]) -> None:
    (only,) = ranks(ServeSpec(model="m", extra=words), Backend.RAY)
    assert said(only).count("--distributed-executor-backend") == 1
    assert only.argv[-len(words) :] == words


@pytest.mark.parametrize(
    ("tensor", "stages", "nodes", "expected"),
    [(None, 1, 4, 4), (None, 2, 4, 2), (2, 2, 4, 2), (None, 3, 4, 1), (1, 1, 2, 1)],
)  # fmt: skip
def test_every_node_takes_part_unless_said(
    tensor: int | None, stages: int, nodes: int, expected: int
) -> None:
    spec = ServeSpec(model="m", tensor_parallel=tensor, pipeline_parallel=stages)
    assert split_of(spec, nodes).tensor == expected


@pytest.mark.parametrize(("tensor", "stages"), [(3, 1), (2, 2), (None, 3)])
def test_more_ranks_than_gpus_are_refused_with_numbers(tensor: int | None, stages: int) -> None:
    with pytest.raises(WrongUsage, match="GPUs, and 2 are there"):
        split_of(ServeSpec(model="m", tensor_parallel=tensor, pipeline_parallel=stages), 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ""},
        {"port": 0},
        {"port": 65536},
        {"gpu_memory_utilization": 1.5},
        {"gpu_memory_utilization": 0},
        {"max_model_len": 0},
        {"tensor_parallel": 0},
        {"host": "192.168.177.11"},
        {"extra": ("--port", "9")},
        {"extra": ("--host=::1",)},
        {"extra": ("--served-model-name", "x")},
        {"extra": ("--api-key", "secret")},
        {"unknown": 1},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServeSpec.model_validate({"model": "m", **wrong})


def test_the_examples_of_the_scripts_are_there_by_name() -> None:
    """As in their README, but for --swap-space, which vLLM no longer takes."""
    (qwen,) = ranks(ServeSpec(**preset("qwen3-vl-235b", {})), Backend.RAY)
    assert said(qwen) == (
        "vllm serve RedHatAI/Qwen3-VL-235B-A22B-Instruct-NVFP4 --host 0.0.0.0 --port 8888 -tp 2 "
        "--gpu-memory-utilization 0.7 --max-model-len 32768 --distributed-executor-backend ray"
    )
    (gpt,) = ranks(ServeSpec(**preset("gpt-oss-120b", {})), Backend.RAY)
    assert said(gpt) == (
        "env HF_HUB_OFFLINE=1 vllm serve openai/gpt-oss-120b --host 0.0.0.0 --port 8888 -tp 2 "
        "--gpu-memory-utilization 0.7 "
        "--load-format fastsafetensors --trust-remote-code --distributed-executor-backend ray"
    )


def test_what_is_said_wins_over_an_example() -> None:
    spec = ServeSpec(
        **preset("qwen3-vl-235b", {"gpu_memory_utilization": 0.5, "max_model_len": None, "port": 9000})
    )
    assert (spec.gpu_memory_utilization, spec.max_model_len, spec.port) == (0.5, 32768, 9000)


def test_another_model_gets_nothing_from_the_examples() -> None:
    assert preset("m", {"port": 1, "dtype": None}) == {"model": "m", "port": 1, "dtype": None}


def test_flags_of_old_examples_are_noted() -> None:
    (note,) = notes(ServeSpec(model="m", extra=("--swap-space", "32")))
    assert "--swap-space" in note
    assert notes(ServeSpec(model="m", extra=("--swap-spaces", "32"))) == ()


@pytest.mark.parametrize(
    ("load", "share", "noted"),
    [("fastsafetensors", 0.85, True), ("fastsafetensors", None, True),
     ("fastsafetensors", 0.8, False), ("auto", 0.9, False)],
)  # fmt: skip
def test_fastsafetensors_wants_room(load: str, share: float | None, noted: bool) -> None:
    assert bool(notes(ServeSpec(model="m", load_format=load, gpu_memory_utilization=share))) is noted
