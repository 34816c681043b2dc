"""Told to end (Ctrl-C, SIGTERM, SIGHUP) a word says what it leaves running."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkconsole.errors import Cancelled, SparkError, Stopped
from sparkconsole.model.work.job import Run, RunState
from sparkconsole.script.ending import SIGNALS, until_signalled
from sparkconsole.script.report import Printer
from tests.testbed.waiting import until

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
    shown, said = await told.communicate()
    assert told.returncode == 130
    assert "Traceback" not in said.decode()
    assert json.loads(shown.splitlines()[-1])["state"] == "cancelled"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("as_script", [False, True])
def test_json_ends_with_how_what_was_cancelled_stands(
    number: signal.Signals, as_script: bool, tmp_path: Path
) -> None:
    """Also in a script, whose line wants JSON."""
    config, begun = tmp_path / "cluster.toml", tmp_path / "begun"
    config.write_text('[clusters.me]\nnodes = [{ name = "here", address = "127.0.0.1", local = true }]\n')
    words = ["--json", "node", "exec", "--", "sh", "-c", f"touch {begun}; exec sleep 99"]
    script = tmp_path / "exec.spark"
    script.write_text(shlex.join(words))
    given = ["--script", str(script)] if as_script else words
    with subprocess.Popen(
        (sys.executable, "-m", "sparkconsole", "--config", str(config), *given), stdout=subprocess.PIPE
    ) as process:
        until(lambda: begun.exists() or process.poll() is not None, "the command runs", 20)
        process.send_signal(number)
        shown, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    last = json.loads(shown.splitlines()[-1])
    assert (last["state"], last["error"]["kind"]) == ("cancelled", "Cancelled")


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.UNKNOWN, RunState.RUNNING])
def test_what_runs_on_is_named_with_the_words_for_it(
    state: RunState, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(id="20260101-120000-serve-ab12", words=("serve",), started=datetime(2026, 1, 1, tzinfo=UTC))
    Printer(as_json=True).cancelled(state, run)
    said = json.loads(capsys.readouterr().out)
    assert said["state"] == state.value
    assert (run.id in said["error"]["hint"]) is state.open
    assert ("go on" in said["error"]["cause"]) is (state is RunState.RUNNING)
    assert ("may still run" in said["error"]["cause"]) is (state is RunState.UNKNOWN)


@pytest.mark.parametrize("error", [Cancelled("the launch was cancelled"), Stopped("Serve M: stopped (stop)")])
def test_an_error_that_is_an_end_says_so_too(error: SparkError, capsys: pytest.CaptureFixture[str]) -> None:
    Printer(as_json=True).error(error)
    Printer(as_json=True).error(SparkError("no"))
    assert [json.loads(line).get("state") for line in capsys.readouterr().out.splitlines()] == [
        "cancelled",
        None,
    ]
