"""A console that was killed: the next one looks at the node, tells what stands, and who else is at work."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.openssh import NEEDS_SSHD, OpenSshd, listening

pytestmark = [pytest.mark.programs, NEEDS_SSHD]
MARKS = Path("/tmp")
WAIT_S = 30


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshd]:
    with listening(tmp_path_factory.mktemp("sshd")) as server:
        yield server


class Person:
    """Somebody with a home of their own, whose consoles reach the node over OpenSSH's own server."""

    def __init__(self, sshd: OpenSshd, folder: Path) -> None:
        self.node = sshd.enter("/bin/sh", Path.home())
        self.folder, self.consoles = folder, list[asyncio.subprocess.Process]()
        config = folder / "config" / "sparkconsole"
        config.mkdir(parents=True)
        (config / "cluster.toml").write_text(
            'default = "lab"\n[clusters.lab]\n[[clusters.lab.nodes]]\nname = "spark1"\n'
            f'address = "127.0.0.1"\nport = {self.node.port}\nuser = "{getpass.getuser()}"\n'
        )

    async def console(self, *words: str) -> asyncio.subprocess.Process:
        places = {"XDG_CONFIG_HOME": f"{self.folder}/config", "XDG_STATE_HOME": f"{self.folder}/state"}
        places |= {"USER": self.folder.name}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sparkconsole", *words, env={**os.environ, **places},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.consoles.append(process)
        return process

    async def ends(self) -> None:
        """No console of theirs runs on, and no mark of theirs is left."""
        for console in self.consoles:
            if console.returncode is None:
                console.kill()
                await console.wait()
        for path in (self.folder / "state" / "sparkconsole" / "runs").glob("*.json"):
            (MARKS / f"sparkconsole-mark-{path.stem}").unlink(missing_ok=True)

    async def says(self, *words: str) -> tuple[int | None, str]:
        console = await self.console(*words)
        async with asyncio.timeout(WAIT_S):
            out, err = await console.communicate()
        assert b"Traceback" not in err
        return console.returncode, (out + err).decode()

    async def runs(self) -> list[dict[str, Any]]:
        return list(json.loads((await self.says("--json", "runs", "list"))[1])["runs"])


async def until(what: Any) -> Any:
    async with asyncio.timeout(WAIT_S):
        while not (seen := what()):  # noqa: ASYNC110 - processes ring no bell
            await asyncio.sleep(0.02)
    return seen


def processes(argv: tuple[str, ...]) -> list[int]:
    """Those whose words are exactly these."""
    wanted, found = b"".join(word.encode() + b"\0" for word in argv), []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == wanted:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def command() -> Iterator[tuple[str, ...]]:
    """What runs for ten minutes, and no other test's."""
    words = ("sleep", f"600.{secrets.randbelow(10**9)}")
    yield words
    for pid in processes(words):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def anna(sshd: OpenSshd, tmp_path: Path) -> AsyncIterator[Person]:
    person = Person(sshd, tmp_path / "anna")
    yield person
    await person.ends()


@pytest.fixture
async def bert(sshd: OpenSshd, anna: Person, tmp_path: Path) -> Person:
    return Person(sshd, tmp_path / "bert")


async def test_what_a_killed_console_left_running_is_looked_for(
    anna: Person, command: tuple[str, ...]
) -> None:
    console = await anna.console("--yes", "node", "exec", "--", *command)
    [pid] = await until(lambda: processes(command))
    [run] = [r["id"] for r in await anna.runs()]
    mark = MARKS / f"sparkconsole-mark-{run}"
    assert mark.exists(), "it was there before the deed"
    console.send_signal(signal.SIGKILL)
    await console.wait()
    assert processes(command) == [pid], "nothing ended it"

    for words in (("--dry-run", "node", "exec", "--", "uptime"), ("status",)):
        said = (await anna.says(*words))[1]
        assert "spark1: your `node exec` of" in said
        assert f"runs attach {run}" in said

    end = f"to end it: sparkconsole node exec --node spark1 -- kill {pid}"
    for _ in range(2):
        code, said = await anna.says("runs", "attach", run)
        assert code == 5
        assert f"spark1: still runs: {' '.join(command)} ({end})" in said
        assert [(r["id"], r["state"]) for r in await anna.runs()] == [(run, "unknown")]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not processes(command))
    code, said = await anna.says("runs", "attach", run)
    assert (code, "what it did cannot be seen" in said) == (5, True)
    assert [(r["id"], r["state"]) for r in await anna.runs()] == [(run, "unknown")]
    assert (await anna.says("--yes", "runs", "stop", run))[0] == 0
    assert (run, "cancelled") in [(r["id"], r["state"]) for r in await anna.runs()]
    assert not mark.exists()


async def test_another_operator_is_told_who_is_at_work_there(
    anna: Person, bert: Person, command: tuple[str, ...]
) -> None:
    look = ("--dry-run", "node", "exec", "--", "uptime")
    console = await anna.console("--yes", "node", "exec", "--", *command)
    await until(lambda: processes(command))
    assert (
        f"spark1: anna@{os.uname().nodename} has been running `node exec` since"
        in (await bert.says(*look))[1]
    )
    console.send_signal(signal.SIGKILL)
    await console.wait()
    said = (await bert.says(*look))[1]
    assert f"spark1: anna@{os.uname().nodename} began `node exec` at" in said
    assert "has lost its connection; it may still run there" in said
    for run in await anna.runs():
        await anna.says("runs", "attach", run["id"])
    assert "anna" not in (await bert.says(*look))[1]


async def test_a_console_that_ends_by_itself_leaves_no_mark(anna: Person, command: tuple[str, ...]) -> None:
    console = await anna.console("--yes", "node", "exec", "--", *command)
    await until(lambda: processes(command))
    [run] = [r["id"] for r in await anna.runs()]
    assert (MARKS / f"sparkconsole-mark-{run}").exists()
    console.send_signal(signal.SIGINT)
    async with asyncio.timeout(WAIT_S):
        await console.communicate()
    assert not (MARKS / f"sparkconsole-mark-{run}").exists()
