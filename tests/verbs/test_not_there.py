"""What is named and is not there, or is asked and differs, is refused before anything is done.

A pretend machine ends what a script's arguments name, as the script itself would: `tests/real` runs that one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sparkconsole.verbs.bench.run import _instead
from tests.verbs.operated import MODEL, Operated, lines, operated

UP = ("image build -c all", "launch", f"serve {MODEL} --gpu-memory-utilization 0.4")


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Operated]:
    async with operated(tmp_path, monkeypatch) as found:
        for line in UP:
            assert (await found.says(line)).exit_code == 0
        yield found


async def test_a_port_without_a_server_ends_none(served: Operated) -> None:
    answer = await served.answer_or_error("serve stop --port 9999")
    assert answer.exit_code == 4
    assert "no server on port 9999; one is on 8888" in lines(answer)[0]
    assert (await served.says("serve status")).data["state"] == "ready"


async def test_of_two_servers_the_one_that_is_named_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operated(tmp_path, monkeypatch) as found:
        share = "--gpu-memory-utilization 0.3"
        for line in ("image build -c all", "launch --backend none", f"serve {MODEL} {share}"):
            assert (await found.says(line)).exit_code == 0
        assert (await found.says(f"serve {MODEL} {share} --port 9000")).exit_code == 0
        assert (await found.says("serve stop --port 9000")).exit_code == 0
        assert (await found.says("serve status")).data["state"] == "ready"
        assert (await found.says("serve status --port 9000")).data["state"] == "not running"


async def test_a_benchmark_of_another_port_says_where_a_server_is(served: Operated) -> None:
    answer = await served.answer_or_error("bench run --port 9999")
    assert answer.exit_code == 4
    assert f"{MODEL} is served on port 8888: --port 8888" in answer.data["error"]["hint"]


async def test_a_server_that_does_not_answer_yet_is_waited_for_and_not_another_one(served: Operated) -> None:
    """`bench run` while it loads: its own port is no other one."""
    hint = await _instead(served.session, "vllm_node", 8888)
    assert hint == f"{MODEL} is not ready: sparkconsole wait-for server --port 8888"
    assert "--port 8888" in await _instead(served.session, "vllm_node", 9999)


async def test_stopping_gives_back_what_the_server_had(served: Operated) -> None:
    answer = await served.says("stop")
    for node in answer.data["nodes"]:
        assert node["available_after"] - node["available_before"] > 20e9, "read before the server ended"
    planned = await served.answer_or_error("stop")
    assert all(n["available_after"] == n["available_before"] for n in planned.data["nodes"])


@pytest.mark.parametrize(
    ("line", "differs"),
    [
        ("launch --tag other", "from vllm-node, not other"),
        ("launch -e FOO=1", "without FOO=1"),
        ("launch -e KEPT=2", "with KEPT=1, not KEPT=2"),
        ("launch -v /data:/data", "without the mount /data:/data"),
        ("launch --backend none", "backend ray, not none"),
        ("launch --solo", "backend ray, not solo"),
        ("launch --nccl-debug TRACE", "NCCL debug level INFO, not TRACE"),
        ("launch --ray-port 6400", "Ray's port 6379, not 6400"),
        ("launch --repair -e FOO=1", "without FOO=1"),
    ],
)
async def test_a_launch_that_asks_for_something_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, differs: str
) -> None:
    async with operated(tmp_path, monkeypatch) as found:
        for said in ("image build -c all", "launch -e KEPT=1 --nccl-debug INFO"):
            assert (await found.says(said)).exit_code == 0
        answer = await found.answer_or_error(line)
        assert answer.exit_code == 4
        assert differs in answer.data["error"]["cause"]
        assert "sparkconsole stop" in answer.data["error"]["hint"]
        for same in ("launch", "launch -e KEPT=1", "launch --backend ray", "launch -t vllm-node:latest"):
            assert (await found.says(same)).data["already"] is True


async def test_a_half_running_cluster_is_no_reason_to_drop_what_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with operated(tmp_path, monkeypatch) as found:
        for said in ("image build -c all", "launch", "demo fault spark-02 oom"):
            await found.says(said)
        answer = await found.answer_or_error("launch --repair -v /data:/data")
        assert "without the mount /data:/data" in answer.data["error"]["cause"]
        assert (await found.says("launch --repair")).exit_code == 0


async def test_a_model_that_no_node_has_is_downloaded_not_copied(served: Operated) -> None:
    assert lines(await served.says("model verify no/such"))[-1].startswith(
        "→ no node has it whole: sparkconsole model download no/such"
    )
    folder = lines(await served.says("model verify /models/m"))[-1]
    assert "download" not in folder
    await served.says("model download a/b --on spark-02")
    assert lines(await served.says("model verify a/b"))[-1] == "→ sparkconsole model copy a/b --verify"
