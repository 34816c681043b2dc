"""The log of a rank is followed in whole lines, and read from its end without a line that was cut."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.serve import log as serve_log
from sparkconsole.fleet.serve.log import follow, last_lines
from sparkconsole.model.work.job import Job, JobKind, JobState
from sparkconsole.parse.serve.serve_log import ServeLogReader
from tests.pretend_nodes import PretendCluster

JOB = Job(id="serve-m-1", node="a", kind=JobKind.SERVE, argv=("vllm", "serve", "m"))
LINES = [f"line {i:02}" for i in range(20)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than 100 bytes, the first 24 and the last 27; every line is eight."""
    text = "".join(f"{line}\n" for line in LINES)

    async def job_state(fleet: Fleet, job: Job) -> JobState:
        return JobState(known=True, log_bytes=len(text))

    async def follow_job(fleet: Fleet, job: Job, *, offset: int = 0) -> AsyncGenerator[str, None]:
        for line in text[offset:].splitlines():
            yield line

    for name, value in {"LONG": 100, "HEAD": 23, "TAIL": 27}.items():
        monkeypatch.setattr(serve_log, name, value)
    monkeypatch.setattr(serve_log, "job_state", job_state)
    monkeypatch.setattr(serve_log, "follow_job", follow_job)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("bounded", "expected"), [(False, LINES), (True, LINES[:3] + LINES[-3:])])
async def test_a_long_log_is_followed_whole_or_its_beginning_and_its_end(
    bounded: bool, expected: list[str]
) -> None:
    log = ServeLogReader()
    async with PretendCluster("a").fleet() as fleet:
        seen = [line async for line in follow(fleet, JOB, log, bounded=bounded)]
    assert seen == log.lines == expected


@pytest.mark.usefixtures("small")
async def test_a_log_that_is_short_is_followed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_log, "LONG", 160)
    async with PretendCluster("a").fleet() as fleet:
        assert [line async for line in follow(fleet, JOB, ServeLogReader(), bounded=True)] == LINES


@pytest.mark.parametrize(("read", "expected"), [(13, ["whole"]), (14, ["is cut", "whole"])])
async def test_of_an_end_that_was_cut_only_whole_lines_are_read(
    monkeypatch: pytest.MonkeyPatch, read: int, expected: list[str]
) -> None:
    monkeypatch.setattr(serve_log, "READ", read)
    pretend = PretendCluster("a")
    pretend.nodes["a"].extra = {"job-read": (0, "is cut\nwhole\n"[-read:], "")}
    async with pretend.fleet() as fleet:
        assert await last_lines(fleet, JOB) == expected
