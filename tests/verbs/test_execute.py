"""`exec` really runs: a `docker` on the path that runs the words it is given stands for the engine."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sparkconsole.clock import RealClock
from sparkconsole.config.inventory import Inventory
from sparkconsole.errors import Refused, SparkError, Unreachable, WrongUsage
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.journal.journal import Journal
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.answer import Answer, Row
from sparkconsole.model.work.news import News, Remark
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Completed, Pipe, Shell
from sparkconsole.verbs.execute import execute
from sparkconsole.verbs.grammar.record import report_unended
from sparkconsole.verbs.grammar.session import Options, Session

DOCKER = """\
#!{python}
import json, os, sys
words = sys.argv[1:]
if words[0] == "container":
    if words[-1] != "vllm_node":
        sys.exit("Error: No such container: " + words[-1])
    print(json.dumps([{{"Name": "/vllm_node", "State": {{"Running": True}}, "Config": {{}}}}]))
elif words[0] == "exec":
    words.pop(0)
    if words[0] == "-i":
        words.pop(0)
    else:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    while words[0] == "-e":
        name, _, value = words[1].partition("=")
        os.environ[name] = value
        del words[:2]
    os.execvp(words[1], words[1:])
"""


@pytest.fixture
async def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Session]:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(python=sys.executable))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}:{os.environ['PATH']}")

    async def connect(node: Node) -> Shell:
        return LocalShell(node.name)

    cluster = Cluster(nodes=(Node(name="spark1", address="127.0.0.1"),))
    async with Fleet(cluster, connect) as fleet:
        yield Session(Options(), Inventory(), cluster, fleet, Journal(tmp_path / "state", RealClock()))


async def run(session: Session, *command: str, **more: object) -> tuple[str, str, int]:
    rows = await execute(session, *command, **{"interactive": False, **more})  # type: ignore[arg-type]
    assert not isinstance(rows, Answer)
    every = [row async for row in rows]
    return _text(every, "stdout"), _text(every, "stderr"), every[-1].data["exit"]


def _text(rows: list[Row], stream: str) -> str:
    return "".join(r.data["text"] for r in rows if r.data.get("stream") == stream)


WORDS = ["a b", '{"x": "$y"}', "ü", "'", "", "new\nline", "$(id)", "--node", "*", "back\\slash", "-"]


async def test_words_arrive_byte_for_byte(session: Session) -> None:
    out, err, code = await run(
        session, sys.executable, "-c", "import sys, json; print(json.dumps(sys.argv[1:]))", *WORDS
    )
    assert (json.loads(out), err, code) == (WORDS, "", 0)


@pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
async def test_the_exit_code_is_the_commands_own(session: Session, code: int) -> None:
    assert (await run(session, "sh", "-c", f"exit {code}"))[2] == code


async def test_both_outputs_stay_apart_and_whole(session: Session) -> None:
    out, err, _ = await run(
        session, "sh", "-c", "printf out; printf err >&2; head -c 300000 /dev/zero | tr '\\0' x"
    )
    assert out == "out" + "x" * 300_000
    assert err == "err"


async def test_standard_input_arrives_when_it_is_wanted(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "in"
    given.write_text("line one\nü\n")
    with given.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert (await run(session, "cat", interactive=None))[0] == "line one\nü\n"
    assert (await run(session, "cat"))[0] == ""


async def test_letting_go_ends_the_command_in_the_container(session: Session, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    script = f"trap 'echo > {ended}; exit' TERM; echo began; while :; do sleep 0.05; done"
    rows = await execute(session, "sh", "-c", script, interactive=False)
    assert not isinstance(rows, Answer)
    assert (await anext(rows)).data["text"] == "began\n"
    await rows.aclose()  # type: ignore[attr-defined]
    for _ in range(1000):
        if os.path.exists(ended):  # noqa: ASYNC240
            return
        await asyncio.sleep(0.02)
    pytest.fail("it still runs")


async def test_what_a_lost_node_was_not_seen_to_end_is_named(session: Session) -> None:
    """The node is lost in the moment in which it is asked to end it."""
    pipes: list[Pipe] = []

    class Lost(LocalShell):
        async def pipe(self, argv: Sequence[str]) -> Pipe:
            pipes.append(await super().pipe(argv))
            return pipes[-1]

        async def run(self, argv: Sequence[str], **more: Any) -> Completed:
            if "end" in argv:
                raise Unreachable("the connection was lost")
            return await super().run(argv, **more)

    async def connect(node: Node) -> Shell:
        return Lost(node.name)

    async with Fleet(session.cluster, connect) as fleet:
        session.fleet = fleet
        rows = await execute(session, "sh", "-c", "echo began; exec sleep 9", interactive=False)
        assert not isinstance(rows, Answer)
        await anext(rows)
        await rows.aclose()  # type: ignore[attr-defined]
        said: list[News] = []
        assert report_unended(session, said.append)
    for pipe in pipes:
        await pipe.kill()
    assert pipes, "it did run"
    words = "`sh -c 'echo began; exec sleep 9'` may still run: its end was not seen"
    assert said == [Remark(words, "spark1", "warning")]


async def test_what_left_its_group_is_ended_in_the_container(session: Session, tmp_path: Path) -> None:
    apart = f"setsid sh -c 'echo $$ >{tmp_path}/pid; exec sleep 9' & echo began; exec sleep 9"
    rows = await execute(session, "sh", "-c", apart, interactive=False)
    assert not isinstance(rows, Answer)
    await anext(rows)
    async with asyncio.timeout(20):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await rows.aclose()  # type: ignore[attr-defined]
    assert _is_over((tmp_path / "pid").read_text().strip())
    assert session.fleet.take_unended() == ()


def _is_over(pid: str) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or ") Z" in stat.read_text()


async def test_a_container_of_another_name_is_not_taken(session: Session) -> None:
    with pytest.raises(SparkError, match="no container vllm_nod runs") as caught:
        await execute(session, "true", name="vllm_nod")
    assert caught.value.node == "spark1"


async def test_no_command_an_unknown_node_and_read_only_run_nothing(session: Session) -> None:
    with pytest.raises(WrongUsage, match="needs a command"):
        await execute(session)
    with pytest.raises(WrongUsage, match="spark9"):
        await execute(session, "true", node="spark9")
    session.options = Options(read_only=True)
    with pytest.raises(Refused):
        await execute(session, "true")


async def test_a_dry_run_shows_the_command(session: Session) -> None:
    session.options = Options(dry_run=True)
    answer = await execute(session, "echo", "a b")
    assert isinstance(answer, Answer)
    assert answer.data["argv"] == ["docker", "exec", "vllm_node", "echo", "a b"]
