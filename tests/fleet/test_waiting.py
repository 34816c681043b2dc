"""What is waited for is said at once or soon, again from time to time, and no more once it has come."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkconsole.fleet import waiting as module
from sparkconsole.fleet.waiting import waiting, waits_reported_to

Said = list[tuple[str, str]]


def still(_: float) -> Iterator[tuple[str, str]]:
    yield "spark1", "no answer yet"


async def many(said: Said, count: int) -> None:
    for _ in range(4000):
        if len(said) >= count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{said} and no more")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.setattr(module, "AGAIN_S", 0.02)
    return []


async def test_it_is_said_again_for_as_long_as_it_lasts(said: Said) -> None:
    with waits_reported_to(lambda node, text: said.append((node, text))):
        async with waiting(still, first_s=0.0):
            await many(said, 3)
    count = len(said)
    await asyncio.sleep(0.1)
    assert said == [("spark1", "no answer yet")] * count, "nothing comes after the wait"


async def test_what_two_questions_wait_for_is_said_once() -> None:
    said: Said = []
    with waits_reported_to(lambda node, text: said.append((node, text))):
        async with waiting(still, first_s=0.0), waiting(still, first_s=0.01):
            await asyncio.sleep(0.1)
    assert said == [("spark1", "no answer yet")]


async def test_nothing_is_said_of_what_comes_soon(said: Said) -> None:
    with waits_reported_to(lambda node, text: said.append((node, text))):
        async with waiting(still, first_s=30.0):
            await asyncio.sleep(0.1)
    assert said == []


async def test_a_sign_of_life_begins_the_wait_anew(said: Said) -> None:
    seconds: list[float] = []

    def since(passed: float) -> Iterator[tuple[str, str]]:
        seconds.append(passed)
        yield "spark1", "nothing"

    with waits_reported_to(lambda node, text: said.append((node, text))):
        async with waiting(since, first_s=0.3) as wait:
            for _ in range(10):
                await asyncio.sleep(0.05)
                wait.heard()
            assert seconds == []
            await many(said, 2)
    assert seconds[0] >= 0.3


async def test_where_nobody_listens_nothing_is_said() -> None:
    async with waiting(still, first_s=0.0):
        await asyncio.sleep(0.05)


@pytest.mark.programs
def test_a_node_that_takes_long_is_named_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "cluster.toml"
    file.write_text('[clusters.me]\nnodes = [{ name = "here", address = "127.0.0.1", local = true }]\n')
    words = ("--config", str(file), "node", "exec", "--", "sleep", "9.5")
    asked = subprocess.run(
        (sys.executable, "-m", "sparkconsole", *words),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert asked.stderr == "! here still running after 8 s\n", asked
