"""Which processes of a container are servers, and what their words say."""

from __future__ import annotations

import pytest

from sparkconsole.model.serve.engine import LiveRank, jobs_of
from sparkconsole.model.serve.vllm_flags import value
from sparkconsole.parse.serve.vllm_serve import parse_ranks


def line(pid: int, group: int, *words: str) -> str:
    return f"process {pid} {group} " + "".join(f"{word}\x1f" for word in words)


def test_a_start_of_ours_is_one_rank_with_its_job() -> None:
    started = (
        "env",
        "HF_HUB_OFFLINE=1",
        "vllm",
        "serve",
        "/m",
        "--port",
        "8888",
        "--served-model-name",
        "tiny",
    )
    lines = (
        line(40, 40, "sh", "-c", "f=/tmp/x; vllm serve", "job", "serve-m-1", *started),
        line(41, 40, "/opt/venv/bin/python3", "/opt/venv/bin/vllm", *started[3:]),
        line(50, 40, "VLLM::EngineCore"),
        "job 40 serve-m-1.pid",
    )
    (rank,) = parse_ranks("\n".join(lines), "a")
    assert rank == LiveRank("a", 40, ("vllm", *started[3:]), "serve-m-1")
    assert (rank.model, rank.name, rank.port, rank.rank) == ("/m", "tiny", 8888, 0)
    job = rank.as_job("c")
    assert (job.id, job.node, job.container, job.details["name"]) == ("serve-m-1", "a", "c", "tiny")


@pytest.mark.parametrize(
    ("words", "model", "port"),
    [
        (("m",), "m", 8000),
        (("m", "--port=9"), "m", 9),
        (("--model", "m", "--port", "7", "--port", "8"), "m", 8),
        (("--port", "x"), "", 8000),
    ],
)
def test_a_server_that_was_started_by_hand(words: tuple[str, ...], model: str, port: int) -> None:
    (rank,) = parse_ranks(line(7, 7, "vllm", "serve", *words), "a")
    assert (rank.model, rank.name, rank.port, rank.job) == (model, model, port, "")
    assert jobs_of((rank,), "c") == ()


@pytest.mark.parametrize(
    "words",
    [
        ("sh", "-c", "for c in vllm serve; do :; done", "serve-look"),
        ("vllm", "bench", "serve", "--port", "8888"),
        ("tail", "-f", "vllm"),
        ("VLLM::EngineCore",),
        ("grep", "vllm"),
    ],
)
def test_what_only_mentions_it_is_no_server(words: tuple[str, ...]) -> None:
    assert parse_ranks(line(7, 7, *words), "a") == ()


def test_without_ray_the_leading_rank_comes_last_as_it_was_started() -> None:
    text = [line(9, 9, "vllm", "serve", "m", "--port", "8888", "--node-rank", str(n)) for n in (0, 1)]
    ranks = [
        *parse_ranks(f"{text[0]}\njob 9 serve-a.pid", "a"),
        *parse_ranks(f"{text[1]}\njob 9 serve-b.pid", "b"),
    ]
    assert [(j.node, j.details["rank"]) for j in jobs_of(ranks, "c")] == [("b", 1), ("a", 0)]


def test_lines_of_another_shape_are_left_out() -> None:
    assert (
        parse_ranks("process\nprocess x\nprocess 1 y vllm\x1fserve\x1fm\njob x\n\nnonsense 1 2 3", "a") == ()
    )


def test_the_last_value_of_a_flag_counts() -> None:
    assert value(("--port", "1", "--port=2", "--b"), "--port") == "2"
    assert value(("--port",), "--host") is None
