"""Marks on a node: written before a deed, read by everybody, and never through somebody else's file."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkconsole.fleet.journal.journal import this_console
from sparkconsole.model.work.job import NodeMark
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.node import marks

SINCE = datetime(2026, 11, 30, 14, 2, tzinfo=UTC)


@pytest.fixture
def mark() -> Iterator[NodeMark]:
    made = NodeMark(run=f"test-{secrets.token_hex(8)}", verb="launch", who="an \"o'na\\@laptop", since=SINCE)
    yield made
    path(made).unlink(missing_ok=True)


def path(mark: NodeMark) -> Path:
    return Path(f"/tmp/sparkconsole-mark-{mark.run}")


async def seen(mark: NodeMark) -> list[NodeMark]:
    """Marks of other tests and programs may lie there too."""
    return [m for m in await marks.look_for_marks(LocalShell("spark1")) if m.run == mark.run]


async def test_a_mark_is_there_until_it_is_removed(mark: NodeMark) -> None:
    shell = LocalShell("spark1")
    assert await marks.write_mark(shell, mark) == ""
    assert await marks.write_mark(shell, mark) == "", "its own it may write again"
    assert await seen(mark) == [mark.model_copy(update={"node": "spark1"})]
    assert path(mark).stat().st_mode & 0o777 == 0o644, "every login may read it"
    await marks.remove_mark(shell, mark.run)
    assert await seen(mark) == []


async def test_the_mark_of_a_console_that_was_killed_is_told_from_one_at_work(mark: NodeMark) -> None:
    text = mark.model_dump_json(exclude={"node", "gone"})
    program = "import subprocess, sys; subprocess.run(sys.argv[1:], check=True)"
    argv = (sys.executable, "-c", program, "sh", "-c", marks.MARK, "mark-put", mark.run, text)
    assert await (await asyncio.create_subprocess_exec(*argv)).wait() == 0
    assert [m.gone for m in await seen(mark)] == [True]


async def test_marks_of_runs_that_are_over_go_with_the_next_one(mark: NodeMark) -> None:
    old = mark.model_copy(update={"run": f"old-{mark.run}"})
    shell = LocalShell("spark1")
    await marks.write_mark(shell, old)
    assert await marks.write_mark(shell, mark, [old.run]) == ""
    assert not path(old).exists()
    assert path(mark).exists()


async def test_nothing_is_written_through_a_link(mark: NodeMark, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine")
    path(mark).symlink_to(kept)
    assert await seen(mark) == []
    assert await marks.write_mark(LocalShell("spark1"), mark) == ""
    assert kept.read_text() == "mine"
    assert not path(mark).is_symlink()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\0\xff\n", b"1 2 {}\n", b"x y z", b"9" * 100_000, b"$(id) `id` {\n",
        b'7 7 {"run": "../../etc", "verb": "x", "who": "y", "since": "2026-11-30T14:02:00Z"}\n',
        b'7 7 {"run": "old", "verb": "x", "who": "y", "since": "0001-01-01T00:00:00+14:00"}\n',
        b'7 7 {"run": "new", "verb": "x", "who": "y", "since": "9999-12-31T23:59:59-14:00"}\n',
        b'7 7 {"run": "a; reboot", "verb": "x", "who": "y", "since": "2026-11-30T14:02:00Z"}\n',
    ],
)  # fmt: skip
async def test_what_is_no_mark_is_passed_over(mark: NodeMark, text: bytes) -> None:
    path(mark).write_bytes(text)
    found = await marks.look_for_marks(LocalShell("spark1"))
    assert not any("etc" in m.run or ";" in m.run or m.run == mark.run for m in found)


async def test_a_pipe_in_its_place_holds_nobody_up(mark: NodeMark) -> None:
    os.mkfifo(path(mark))
    assert await seen(mark) == []


async def test_a_node_that_cannot_take_one_says_why(mark: NodeMark) -> None:
    """A file may have no bytes there: as on a full disk, it can be made and not be written."""

    class Full(LocalShell):
        async def run(self, argv, **given):  # type: ignore[no-untyped-def]
            limited = ("sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "limited", *argv)
            return await super().run(limited, **given)

    assert await marks.write_mark(Full("spark1"), mark) == "File too large"
    assert not path(mark).exists()


async def test_what_a_console_runs_is_found_and_jobs_are_not() -> None:
    console = this_console().model_copy(update={"host": f"laptop-{secrets.token_hex(4)}"})
    shell = LocalShell("spark1")
    marks.keep_console_at(shell, console)
    env = {**os.environ, **shell.environment}
    command = await asyncio.create_subprocess_exec("timeout", "60", "sleep", "59.5", env=env)
    job = await asyncio.create_subprocess_exec("sleep", "59.25", env={**env, "JOB_DIR": "/x"})
    try:
        async with asyncio.timeout(30):
            while not (found := await marks.commands_of(LocalShell("spark1"), console)):
                pass
        assert [words for _, words in found] == ["sleep 59.5"]
        other = console.model_copy(update={"pid": 1})
        assert await marks.commands_of(LocalShell("spark1"), other) == ()
    finally:
        command.terminate()
        job.kill()
        await command.wait()
        await job.wait()
