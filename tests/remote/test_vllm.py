"""The server's API asked over a socket, and servers found and ended by the real scripts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sparkconsole.errors import SparkError
from sparkconsole.parse.serve.vllm_serve import parse_ranks
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.serve import vllm
from sparkconsole.remote.serve.processes import end_argv, gone_argv, look_argv
from sparkconsole.remote.shell import Endpoint

MODELS = {"data": [{"id": "tiny", "root": "/m", "max_model_len": 1024}]}


class SocketShell(LocalShell):
    """A node on which one socket answers for every port."""

    def __init__(self, path: Path) -> None:
        super().__init__("spark1")
        self.path = path

    async def open_socket(self, target: str) -> Endpoint:
        return Endpoint(path=str(self.path))


class Server:
    """What it answers, by path: a status, or a body."""

    def __init__(self) -> None:
        self.answers: dict[str, int | str | Mapping[str, Any]] = {"/v1/models": MODELS}
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization", "")))
        said = self.answers.get(request.path, 404)
        if isinstance(said, int):
            return web.json_response({"error": {}}, status=said)
        return web.Response(text=said) if isinstance(said, str) else web.json_response(said)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def shell(server: Server, tmp_path: Path) -> AsyncIterator[SocketShell]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    yield SocketShell(tmp_path / "s")
    await runner.cleanup()


async def test_a_token_names_the_model(server: Server, shell: SocketShell) -> None:
    server.answers["/v1/completions"] = {"choices": [{"text": "1"}]}
    assert await vllm.complete_one_token(shell, 8888) == "tiny"


async def test_a_model_that_only_embeds_proves_itself_that_way(server: Server, shell: SocketShell) -> None:
    server.answers["/v1/embeddings"] = {"data": [{"embedding": [0.1]}]}
    assert await vllm.complete_one_token(shell, 8888) == "tiny"
    assert [path for path, _ in server.asked] == ["/v1/models", "/v1/completions", "/v1/embeddings"]


@pytest.mark.parametrize(
    ("path", "status", "hint"), [("/v1/models", 401, "VLLM_API_KEY"), ("/v1/x", 404, "text")]
)
async def test_a_server_that_declines_is_told_from_a_broken_one(
    server: Server, shell: SocketShell, path: str, status: int, hint: str
) -> None:
    server.answers[path] = status
    with pytest.raises(vllm.Declined, match=str(status)) as caught:
        await vllm.complete_one_token(shell, 8888)
    assert hint in caught.value.hint


@pytest.mark.parametrize("said", [503, {"choices": []}, "no JSON"])
async def test_no_token_is_no_proof(
    server: Server, shell: SocketShell, said: int | str | Mapping[str, Any]
) -> None:
    server.answers["/v1/completions"] = said
    with pytest.raises(SparkError) as caught:
        await vllm.complete_one_token(shell, 8888)
    assert not isinstance(caught.value, vllm.Declined)


async def test_the_key_of_the_environment_is_shown(
    server: Server, shell: SocketShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "let-me-in")
    await vllm.models(shell, 8888)
    assert server.asked == [("/v1/models", "Bearer let-me-in")]


async def test_version_and_load(server: Server, shell: SocketShell) -> None:
    server.answers |= {
        "/version": {"version": "0.33.0"},
        "/metrics": 'vllm:num_requests_running{e="0"} 2.0\n',
    }
    assert await vllm.version(shell, 8888) == "0.33.0"
    assert (await vllm.metrics(shell, 8888)).running == 2


# --- servers as processes, through the real scripts, without a container around them


@pytest.fixture
def pretend(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `vllm serve` that takes TERM, with a child; it has a group of its own."""
    fake = tmp_path / "vllm"
    fake.write_text("#!/bin/sh\nsleep 60 & echo began; wait\n")
    fake.chmod(0o755)
    words = (str(fake), "serve", "org/m", "--port", "8123", "--name", "a b\nü")
    with subprocess.Popen(words, stdout=subprocess.PIPE, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"began\n"
        yield process
        if process.poll() is None:
            os.killpg(process.pid, 9)


def inside(argv: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    assert argv[:3] == ("docker", "exec", "c")
    return subprocess.run(argv[3:], capture_output=True, text=True, timeout=60, check=False)


def test_a_server_is_found_and_ended_with_its_children(pretend: subprocess.Popen[bytes]) -> None:
    seen = parse_ranks(inside(look_argv("c")).stdout, "a")
    (rank,) = [r for r in seen if r.group == pretend.pid]
    assert (rank.model, rank.port) == ("org/m", 8123)
    groups = (pretend.pid,)
    assert inside(gone_argv("c", groups, everything=False)).returncode == 1
    assert inside(end_argv("c", groups, everything=False)).returncode == 0
    assert inside(gone_argv("c", groups, everything=False)).returncode == 0
    assert pretend.wait(10) != 0


def test_ending_nothing_is_done_at_once() -> None:
    assert inside(end_argv("c", (), everything=False)).returncode == 0
    assert inside(gone_argv("c", (), everything=False)).returncode == 0
