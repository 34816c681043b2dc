"""Jobs on this machine, through the real scripts: they outlive their shell and end when they are told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from sparkconsole.errors import CommandFailed, Unreachable
from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.jobs import cancel_job, follow_job, forget_job, job_file, job_state, start_job
from sparkconsole.model.cluster import Cluster, Node
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.remote import jobs as remote
from sparkconsole.remote.local import LocalPipe, LocalShell

pytestmark = pytest.mark.programs


class FragilePipe(LocalPipe):
    """Breaks after some bytes, and hands out few at a time."""

    left: int | None = None

    async def read(self, size: int = 65536) -> bytes:
        if self.left is not None and self.left <= 0:
            raise Unreachable("the connection was lost", node="spark1")
        chunk = await super().read(7 if self.left is not None else size)
        if self.left is not None:
            self.left -= len(chunk)
        return chunk


class FragileShell(LocalShell):
    """A LocalShell whose pipes break after `budgets.pop(0)` bytes, as long as there are budgets."""

    def __init__(self, node: str, budgets: list[int]) -> None:
        super().__init__(node)
        self.budgets = budgets

    async def pipe(self, argv: Sequence[str]) -> LocalPipe:
        pipe = FragilePipe(self.node, argv, await self._process(argv, (), ""))
        pipe.left = self.budgets.pop(0) if self.budgets else None
        return pipe


@pytest.fixture
def budgets() -> list[int]:
    return []


@pytest.fixture
async def fleet(budgets: list[int]) -> AsyncIterator[Fleet]:
    async def connect(node: Node) -> LocalShell:
        return FragileShell(node.name, budgets)

    cluster = Cluster(nodes=(Node(name="spark1", address="127.0.0.1"),))
    async with Fleet(cluster, connect) as fleet:
        yield fleet


def job(*argv: str, id_: str = "build-x-1") -> Job:
    return Job(id=id_, node="spark1", kind=JobKind.BUILD, argv=argv)


def folder(one: Job) -> Path:
    return Path.home() / ".local/state/sparkconsole/jobs" / one.id


async def followed(fleet: Fleet, one: Job, offset: int = 0) -> list[str]:
    async with asyncio.timeout(20):
        return [line async for line in follow_job(fleet, one, offset=offset)]


def held(tmp_path: Path) -> tuple[Path, str]:
    """A gate: the command goes on when its file is there."""
    gate = tmp_path / "gate"
    return gate, f"while [ ! -e '{gate}' ]; do sleep 0.02; done"


async def test_a_job_outlives_its_shell_and_keeps_its_status(fleet: Fleet, tmp_path: Path) -> None:
    gate, wait = held(tmp_path)
    one = job("sh", "-c", f"echo first; {wait}; echo last; exit 7")
    await start_job(fleet, one)
    await (await fleet.shell("spark1")).aclose()
    fleet.lost("spark1")
    assert (await job_state(fleet, one)).running
    gate.touch()
    assert await followed(fleet, one) == ["first", "last"]
    state = await job_state(fleet, one)
    assert (state.known, state.running, state.status, state.log_bytes) == (True, False, 7, 11)


async def test_output_is_whole_over_any_number_of_interruptions(fleet: Fleet, budgets: list[int]) -> None:
    code = "import sys\nfor i in range(400): sys.stdout.write(f'{i} ünïcode\\n' if i % 3 else f'{i}%\\r')"
    one = job(sys.executable, "-c", code)
    await start_job(fleet, one)
    whole = await followed(fleet, one)
    assert whole == [f"{i} ünïcode" if i % 3 else f"{i}%" for i in range(400)]
    budgets += [0, 1, 10, 333, 14, 1000, 7]
    assert await followed(fleet, one) == whole
    assert budgets == []
    half = len("\n".join(whole[:200]).encode()) + 1
    assert await followed(fleet, one, half) == whole[200:]


async def test_following_begins_in_the_middle_and_waits_for_the_end(fleet: Fleet, tmp_path: Path) -> None:
    gate, wait = held(tmp_path)
    one = job("sh", "-c", f"printf 'a\\nb\\n'; {wait}; printf 'c\\nunended'")
    await start_job(fleet, one)
    following = follow_job(fleet, one, offset=2)
    async with asyncio.timeout(20):
        assert await anext(following) == "b"
        gate.touch()
        assert [line async for line in following] == ["c", "unended"]


async def test_arguments_and_files_arrive_byte_for_byte(fleet: Fleet) -> None:
    words = ("a b", "$HOME", "it's", '{"x": "$y"}', "ü", "", "new\nline", "`id`")
    code = "import os, sys, json; json.dump(sys.argv[1:], open(os.environ['JOB_DIR'] + '/got', 'w'))"
    one = job(sys.executable, "-c", code, *words)
    await start_job(fleet, one)
    await followed(fleet, one)
    assert json.loads(await job_file(fleet, one, "got")) == list(words)


async def test_it_runs_where_it_is_told(fleet: Fleet, tmp_path: Path) -> None:
    there = tmp_path / "a folder"
    there.mkdir()
    one = job("pwd").model_copy(update={"workdir": str(there)})
    await start_job(fleet, one)
    assert await followed(fleet, one) == [str(there)]


async def test_killed_without_a_word_has_no_status(fleet: Fleet) -> None:
    one = job("sleep", "300")
    await start_job(fleet, one)
    pid = int((await job_file(fleet, one, "pid")).split()[0])
    os.killpg(pid, signal.SIGKILL)
    assert await followed(fleet, one) == []
    state = await job_state(fleet, one)
    assert (state.known, state.running, state.status) == (True, False, None)
    await forget_job(fleet, one)


async def test_cancelling_ends_every_process_of_the_job(fleet: Fleet, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    children = f"sh -c 'echo $$ >>{pids}; exec sleep 301' & sh -c 'echo $$ >>{pids}; exec sleep 302' &"
    one = job("sh", "-c", f"{children} trap '' HUP; wait; echo; wait")
    await start_job(fleet, one)
    await written(pids, 2)
    await cancel_job(fleet, one)
    state = await job_state(fleet, one)
    assert (state.running, state.status) == (False, 143)
    assert not [p for p in pids.read_text().split() if running(p)]
    await cancel_job(fleet, one)
    assert (await job_state(fleet, one)).status == 143, "cancelling twice is as good as once"


def running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


APART = (
    "setsid sh -c 'echo $$ >>{0}; exec sleep 301' & (setsid sh -c 'echo $$ >>{0}; exec sleep 302' &)"
    " & nohup sh -c 'echo $$ >>{0}; exec sleep 303' >/dev/null 2>&1 &"
)
"""A session of its own, a daemon, and what nohup protects; each writes its number down."""


async def written(pids: Path, count: int) -> list[str]:
    async with asyncio.timeout(20):
        while not pids.exists() or pids.read_text().count("\n") < count:  # noqa: ASYNC110, ASYNC240 - another process
            await asyncio.sleep(0.02)
    return pids.read_text().split()  # noqa: ASYNC240


@pytest.mark.parametrize("killed", [False, True])
async def test_cancelling_ends_what_left_the_group_of_the_job(
    fleet: Fleet, tmp_path: Path, killed: bool
) -> None:
    """Also where its first process is gone without a word."""
    one = job("sh", "-c", f"{APART.format(tmp_path / 'pids')} exec sleep 304")
    await start_job(fleet, one)
    pids = await written(tmp_path / "pids", 3)
    if killed:
        os.killpg(int((await job_file(fleet, one, "pid")).split()[0]), signal.SIGKILL)
    assert any(map(running, pids))
    await cancel_job(fleet, one)
    assert not [p for p in pids if running(p)]


async def test_a_job_in_a_container_is_ended_there_with_all_of_it(tmp_path: Path) -> None:
    """Its own scripts, without the engine that brings them in."""
    one, shell = (
        job("sh", "-c", f"{APART.format(tmp_path / 'pids')} exec sleep 304", id_="bench-in-1"),
        LocalShell("x"),
    )
    inside = ("sh", "-c", remote.INSIDE, "job", one.id, *one.argv)
    running_inside = await asyncio.create_subprocess_exec(*inside, start_new_session=True)
    pids = await written(tmp_path / "pids", 3)
    kept = Path(f"/tmp/sparkconsole-{one.id}.pid")
    assert (await shell.run(remote.script(remote.CANCEL_INSIDE, "job-cancel", one.id), timeout=40)).ok
    assert not [p for p in pids if running(p)]
    await running_inside.wait()
    assert not os.path.lexists(kept)  # noqa: ASYNC240


async def test_what_a_job_detached_that_has_ended_runs_on(fleet: Fleet, tmp_path: Path) -> None:
    one = job("sh", "-c", APART.format(tmp_path / "pids"))
    await start_job(fleet, one)
    await followed(fleet, one)
    pids = await written(tmp_path / "pids", 3)
    await cancel_job(fleet, one)
    assert [p for p in pids if running(p)] == pids
    for pid in pids:
        os.kill(int(pid), signal.SIGKILL)


async def test_a_job_is_none_of_the_command_that_started_it(fleet: Fleet, tmp_path: Path) -> None:
    """Who gives up its start while that waits for the job's number ends the start alone."""
    one, shell = job("sleep", "305"), await fleet.shell("spark1")
    (tmp_path / "mv").write_text('#!/bin/sh\n[ -e ${0%/*}/go ] || sleep 306\nexec /bin/mv "$@"\n')
    (tmp_path / "mv").chmod(0o755)
    shell.environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"  # type: ignore[attr-defined]
    starting = asyncio.create_task(start_job(fleet, one))
    path = folder(one) / "pid.tmp"
    async with asyncio.timeout(20):
        while not path.exists() or not path.read_text():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    pid = path.read_text().split()[0]
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    assert running(pid)
    os.killpg(int(pid), signal.SIGKILL)


async def test_an_ended_job_is_not_called_cancelled(fleet: Fleet) -> None:
    one = job("true")
    await start_job(fleet, one)
    await followed(fleet, one)
    await cancel_job(fleet, one)
    assert (await job_state(fleet, one)).status == 0


async def test_a_second_start_is_refused_and_harms_nothing(fleet: Fleet, tmp_path: Path) -> None:
    gate, wait = held(tmp_path)
    one = job("sh", "-c", f"echo mine; {wait}")
    await start_job(fleet, one)
    with pytest.raises(CommandFailed, match="there already"):
        await start_job(fleet, one)
    gate.touch()
    assert await followed(fleet, one) == ["mine"]


async def test_a_running_job_is_not_forgotten_and_an_ended_one_leaves_nothing(
    fleet: Fleet, tmp_path: Path
) -> None:
    gate, wait = held(tmp_path)
    one = job("sh", "-c", wait)
    await start_job(fleet, one)
    with pytest.raises(CommandFailed) as caught:
        await forget_job(fleet, one)
    assert "cancel it first" in caught.value.hint
    gate.touch()
    await followed(fleet, one)
    await forget_job(fleet, one)
    assert list((Path.home() / ".local/state").iterdir()) == []
    assert not (await job_state(fleet, one)).known
    await forget_job(fleet, one)


async def test_secrets_reach_the_job_and_stand_nowhere(fleet: Fleet, tmp_path: Path) -> None:
    gate, wait = held(tmp_path)
    secret = "hf_s3cr3t '$x'"
    one = job("sh", "-c", f'printf %s "$HF_TOKEN" | sha256sum; {wait}')
    await start_job(fleet, one, secrets={"HF_TOKEN": secret})
    pid = int((await job_file(fleet, one, "pid")).split()[0])
    lines = command_lines(pid)
    gate.touch()
    assert await followed(fleet, one) == [hashlib.sha256(secret.encode()).hexdigest() + "  -"]
    assert any(b"sha256sum" in line for line in lines), "the job was looked at"
    assert not any(b"s3cr3t" in line for line in lines)
    for file in folder(one).iterdir():
        assert b"s3cr3t" not in file.read_bytes()
        assert file.stat().st_mode & 0o077 == 0


def command_lines(group: int) -> list[bytes]:
    """What a process list shows of a job."""
    found = [p for p in Path("/proc").glob("[0-9]*") if in_group(p, group)]
    return [said for p in found if (said := command_line(p))]


def command_line(process: Path) -> bytes:
    """Empty of one that has just ended."""
    try:
        return (process / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def in_group(process: Path, group: int) -> bool:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[2]) == group
    except OSError:
        return False


async def test_a_job_that_nobody_started_is_unknown(fleet: Fleet) -> None:
    assert not (await job_state(fleet, job("true", id_="never"))).known
    with pytest.raises(CommandFailed, match="no such job"):
        await followed(fleet, job("true", id_="never"))
