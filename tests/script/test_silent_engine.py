"""A Docker engine that accepts and says nothing, or half an answer: waited for once, named, others shown.

The client is a script that waits as docker's own would; tests/chaos stops a real engine.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from sparkconsole import cli
from sparkconsole.errors import (
    UNSEEN,
    SilentEngine,
    SparkError,
    TimedOut,
    Unreachable,
    UnusableLogin,
    exit_code_of_look,
)
from sparkconsole.remote.docker import engine
from sparkconsole.remote.node import site

CLIENT = """#!/bin/sh
case $1-$DOCKER_HOST in
  context-*) exit 0;;
  *silent*) exec sleep 600;;
  info-*) echo '29.0.0|overlay2|/';;
  *) echo 'Error response from daemon: No such container: vllm_node' >&2; exit 1;;
esac
"""
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n[{"
NODE = '{{ name = "{name}", address = "{at}", local = true, docker_host = "unix://{socket}" }}'


class Sound(BaseHTTPRequestHandler):
    """An engine with nothing in it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""

    def address_string(self) -> str:
        return "client"

    def do_GET(self) -> None:
        known = {"version": {"ApiVersion": "1.41"}, "info": {"DockerRootDir": "/"}, "json": []}
        word = self.path.partition("?")[0].rpartition("/")[2]
        there = word in known and "/images/vllm" not in self.path and "/containers/vllm" not in self.path
        text = json.dumps(known[word] if there else {"message": "No such thing"} if word != "df" else {})
        self.send_response(200 if there or word == "df" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


class _Door(ThreadingUnixStreamServer):
    daemon_threads = True


def _accepting(path: Path, says: bytes, kept: list[socket.socket]) -> socket.socket:
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    door.listen(64)

    def take() -> None:
        while True:
            try:
                there, _ = door.accept()
                there.sendall(says)
            except OSError:
                return
            kept.append(there)

    threading.Thread(target=take, daemon=True).start()
    return door


@pytest.fixture(params=[b"", HALF], ids=["nothing", "half an answer"])
def cluster(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """`first` has a sound engine, `second` one of the test's kind."""
    monkeypatch.setattr(engine, "ENGINE_S", 1.0)
    monkeypatch.setattr(site, "ENGINE_S", 1.0)
    (tmp_path / "docker").write_text(CLIENT)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    kept: list[socket.socket] = []
    door = _accepting(tmp_path / "silent", request.param, kept)
    nodes = (
        NODE.format(name=name, at=f"127.0.0.{number}", socket=tmp_path / socket_name)
        for number, name, socket_name in ((1, "first", "sound"), (2, "second", "silent"))
    )
    file = tmp_path / "cluster.toml"
    file.write_text(f"[clusters.lab]\nnodes = [{', '.join(nodes)}]\n")
    with _Door(str(tmp_path / "sound"), Sound) as sound:
        threading.Thread(target=sound.serve_forever, args=(0.02,), daemon=True).start()
        yield file
        sound.shutdown()
    for each in (door, *kept):
        each.close()


@pytest.mark.programs
def test_every_reading_verb_names_it_and_shows_the_others(
    cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def says(words: str) -> tuple[int, str]:
        code = cli.run(["--config", str(cluster), *words.split()])
        return code, "".join(capsys.readouterr())

    code, text = says("status")
    first, second = (next(line for line in text.splitlines() if line.startswith(n)) for n in NAMES)
    assert code == UNSEEN
    assert "vllm_node absent" in first
    assert "engine: no answer for" in second
    for words in ("image list", "serve status", "logs container", "logs ray"):
        code, text = says(words)
        assert code == UNSEEN, (words, text)
        assert "docker gave no answer for" in text, (words, text)


NAMES = ("first", "second")


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ((), 0),
        ((SparkError("no"),), 1),
        ((SparkError("no"), SilentEngine("a", 10)), UNSEEN),
        ((TimedOut("late"),), UNSEEN),
        ((SilentEngine("a", 10), Unreachable("gone")), 3),
        ((UnusableLogin("wrong"), TimedOut("late")), 3),
    ],
)
def test_the_worst_that_was_not_seen_is_the_exit_code(errors: tuple[SparkError, ...], code: int) -> None:
    assert exit_code_of_look(errors) == code
