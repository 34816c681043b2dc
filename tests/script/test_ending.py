"""Told to end (Ctrl-C, SIGTERM, SIGHUP) a word says what it leaves running."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from sparkconsole.script.ending import SIGNALS, until_signalled

AS_USUAL = (signal.SIG_DFL, signal.default_int_handler)


async def _works(said: list[str], number: signal.Signals | None) -> int:
    try:
        if number is not None:
            os.kill(os.getpid(), number)
        await asyncio.sleep(0 if number is None else 60)
    except asyncio.CancelledError:
        said.append("left running")
        raise
    return 7


@pytest.mark.parametrize("number", SIGNALS)
def test_who_is_told_to_end_says_what_goes_on(number: signal.Signals) -> None:
    said: list[str] = []
    assert asyncio.run(until_signalled(_works(said, number))) == 130
    assert said == ["left running"]
    assert signal.getsignal(number) in AS_USUAL


@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("first", SIGNALS)
def test_the_second_cuts_short_what_the_first_began(first: signal.Signals, second: signal.Signals) -> None:
    """And is heard where something waits, not in the middle of a line."""
    said: list[str] = []

    async def works() -> int:
        try:
            os.kill(os.getpid(), first)
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            os.kill(os.getpid(), second)
            said.append("looks for what runs on")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                said.append("was not seen to end")
                raise
        return 7

    assert asyncio.run(until_signalled(works())) == 130
    assert said == ["looks for what runs on", "was not seen to end"]


def test_who_is_not_heard_ends_it_in_the_end() -> None:
    """Nothing of ours may keep a person in the program."""
    stubborn = (
        "import asyncio, os, signal, time\n"
        "from sparkconsole.script.ending import PATIENCE, until_signalled\n"
        "async def works():\n"
        "    for _ in range(PATIENCE + 1):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        try:\n"
        "            await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError:\n"
        "            pass\n"
        "    return 0\n"
        "asyncio.run(until_signalled(works()))\n"
    )
    ended = subprocess.run([sys.executable, "-c", stubborn], timeout=30, check=False)
    assert ended.returncode == -signal.SIGTERM


def test_who_is_not_told_ends_by_itself() -> None:
    said: list[str] = []
    assert asyncio.run(until_signalled(_works(said, None))) == 7
    assert said == []
    assert all(signal.getsignal(number) in AS_USUAL for number in SIGNALS)


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_ignored_stays_ignored(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nohup sparkconsole …` outlives its terminal."""
    before = signal.signal(number, signal.SIG_IGN)
    try:

        async def work() -> int:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
            return 0

        assert asyncio.run(until_signalled(work())) == 0
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.programs
@pytest.mark.parametrize("number", SIGNALS)
async def test_the_program_itself(number: signal.Signals) -> None:
    told = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sparkconsole", "--demo", "--json", "status", "--watch",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert told.stdout is not None
    assert await told.stdout.readline(), "it is under way"
    told.send_signal(number)
    _, said = await told.communicate()
    assert told.returncode == 130
    assert "Traceback" not in said.decode()
