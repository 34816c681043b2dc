"""Whatever login shell a user has and whatever that prints: an answer is the command's own, byte for byte."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sparkconsole.errors import CommandFailed, TimedOut, TooMuch, Unreachable, WrongUsage
from sparkconsole.model.work.job import Job, JobKind
from sparkconsole.remote import jobs
from sparkconsole.remote import shell as shell_module
from sparkconsole.remote.docker.execute import pieces, start_exec
from sparkconsole.remote.follow import followed
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.sampler.sampler import samples
from sparkconsole.remote.shell import Shell
from sparkconsole.remote.ssh.connection import SshShell, connect_ssh
from tests.openssh import NEEDS_SSHD, OpenSshd, listening
from tests.remote.test_sshd import QUIET, gone

pytestmark = [pytest.mark.programs, NEEDS_SSHD]

STARTUP = {
    "bash": ".bashrc",
    "zsh": ".zshenv",
    "dash": "",
    "fish": ".config/fish/config.fish",
    "tcsh": ".cshrc",
}
"""The file that each shell reads before a command of sshd's; dash reads none, so ~/.ssh/rc prints there."""
PRINTS = """sh -c 'echo "Welcome, it is noon"; echo "sparkconsole-0 7"; echo oh >&2; printf half'\n"""
TRACES = {
    "bash": "set -xv\n",
    "zsh": "set -xv\n",
    "dash": "",
    "fish": "set fish_trace 1\n",
    "tcsh": "set echo verbose\n",
}
WORDS = (
    "a b", '{"x": "$y"}', "ü€😀", "it's", "back\\slash", "\\\\", "\\n", "two\nlines\n", "", "`id`", "$(id)",
    "*", "-n", "!", "!!", "wow!x", "'!'", "~", "#", "a;b", "%s", "\\0041", "^a^b", "{a,b}", "\t", "\x01",
    "<&>|", "\udcff",
)  # fmt: skip
PRINT_WORDS = (
    sys.executable, "-c", "import sys, json; print(json.dumps(sys.argv[1:]))",
)  # fmt: skip


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSshd]:
    with listening(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@asynccontextmanager
async def login(sshd: OpenSshd, home: Path, name: str, startup: str = "") -> AsyncIterator[SshShell]:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not on this machine")
    if startup and STARTUP[name]:
        path = home / STARTUP[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(startup)
    shell = await connect_ssh(sshd.enter(program, home, first="" if STARTUP[name] else startup))
    try:
        yield shell
    finally:
        await shell.aclose()


@pytest.fixture(params=["quiet", "prints", "traces"])
def startup(request: pytest.FixtureRequest, name: str) -> str:
    """What the shell's startup file does."""
    said = {"quiet": "", "prints": PRINTS, "traces": TRACES[name] + PRINTS}
    return said[request.param]


@pytest.fixture(params=list(STARTUP))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


only_prints = pytest.mark.parametrize("startup", ["prints"], indirect=True)


@pytest.fixture
async def shell(sshd: OpenSshd, tmp_path: Path, name: str, startup: str) -> AsyncIterator[SshShell]:
    async with login(sshd, tmp_path, name, startup) as shell:
        yield shell


async def test_an_answer_is_the_commands_own(shell: SshShell) -> None:
    told = json.loads((await shell.run((*PRINT_WORDS, *WORDS))).checked().text)
    assert told == list(WORDS)
    done = await shell.run(("sh", "-c", "cat; echo bad >&2\nexit 7"), stdin=b"\x00\xff in")
    assert (done.status, done.stdout, done.stderr) == (7, b"\x00\xff in", b"bad\n")
    given = {"HF_TOKEN": "hf_'s3c!ret\\", "KEY": "ü $x"}
    done = await shell.run(("sh", "-c", 'echo "$HF_TOKEN|$KEY"; cat'), stdin=b"more", secrets=given)
    assert (done.text, done.stderr) == ("hf_'s3c!ret\\|ü $x\nmore", b"")
    assert (await shell.run(("no-such-command-anywhere",))).status == 127


async def test_lines_and_pipes_begin_with_the_commands_own(shell: SshShell) -> None:
    lines = followed(shell, ("sh", "-c", "echo one; echo two\necho three >&2; exit 3"))
    assert [await anext(lines), await anext(lines)] == ["one", "two"]
    with pytest.raises(CommandFailed, match=r"status 3.*three"):
        await anext(lines)
    data = bytes(range(256)) * 1024
    pipe = await shell.pipe(("sh", "-c", "cat; echo said >&2; exit 4"))
    feeding = asyncio.create_task(pipe.write(data))
    got = await pipe.read(1)
    assert got == data[:1]
    while len(got) < len(data):
        got += await pipe.read(1000)
    await feeding
    await pipe.close_input()
    assert await pipe.read() == b""
    done = await pipe.wait()
    assert (got == data, done.status, done.stderr) == (True, 4, b"said\n")


@only_prints
async def test_what_is_given_up_ends_there(shell: SshShell, tmp_path: Path) -> None:
    lines = followed(shell, ("sh", "-c", QUIET))
    pids = [await anext(lines)]
    await lines.aclose()
    pipe = await shell.pipe(("sh", "-c", QUIET))
    pids.append((await pipe.read()).decode().strip())
    await pipe.kill()
    for seconds in (0.5, 2, 8, 30):  # as long as the login itself takes here, and a little longer
        with pytest.raises(TimedOut):
            await shell.run(("sh", "-c", f"{{ {QUIET}; }} >{tmp_path}/pid"), timeout=seconds)
        if (tmp_path / "pid").exists():
            break
    pids.append((tmp_path / "pid").read_text().strip())
    assert [await gone(pid) for pid in pids] == [True, True, True]


@only_prints
async def test_a_job_lives_and_ends(shell: SshShell) -> None:
    job = Job(
        id="night",
        kind=JobKind.BENCH,
        node="spark1",
        argv=("sh", "-c", 'echo "wow!\n$HF_TOKEN"; exec sleep 600'),
    )
    await jobs.start(shell, job, {"HF_TOKEN": "it's"})
    assert (await jobs.state(shell, job)).running
    said = b""
    async for chunk in jobs.output(shell, job, 0):
        said += chunk
        if said.endswith(b"it's\n"):
            break
    assert said == b"wow!\nit's\n"
    await jobs.cancel(shell, job)
    ended = await jobs.state(shell, job)
    assert (ended.running, ended.status) == (False, 143)
    await jobs.forget(shell, job)
    assert not (await jobs.state(shell, job)).known


@only_prints
async def test_the_long_readers_read_nothing_foreign(shell: SshShell, tmp_path: Path) -> None:
    garbage: list[str] = []
    seen = samples(shell, period_s=0.1, garbage=garbage.append)
    assert (await anext(seen)) is not None
    await seen.aclose()
    assert garbage == []
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text('#!/bin/sh\nwhile [ "$1" != box ]; do shift; done; shift; exec "$@"\n')
    docker.chmod(0o755)
    pipe = await start_exec(shell, "box", ("sh", "-c", "echo out; echo err >&2"), mark="m")
    got = [(p.stream, p.data) async for p in pieces(pipe)]
    assert sorted(got) == [("stderr", b"err\n"), ("stdout", b"out\n")]
    await pipe.kill()


async def test_a_login_shell_that_ends_says_why_it_cannot_work(
    sshd: OpenSshd, tmp_path: Path, name: str
) -> None:
    # `exit` in config.fish or .cshrc ends the reading of that file alone.
    ends = "exec true" if name in ("fish", "tcsh") else "exit 0"
    told = f"sh -c 'echo Go away; echo No, really >&2'\n{ends}\n"
    async with login(sshd, tmp_path, name, told) as shell:
        with pytest.raises(Unreachable) as caught:
            await shell.run(("true",))
        said = str(caught.value)
        assert said.startswith("spark1: its login shell ends with status 0 before any command is run")
        assert "No, really" in said
        assert "~/.bashrc" in caught.value.hint
        pipe = await shell.pipe(("cat",))
        with pytest.raises(Unreachable, match="before any command is run"):
            await pipe.read()
        await pipe.kill()
        with pytest.raises(Unreachable, match="before any command is run"):
            await anext(followed(shell, ("true",)))
        with pytest.raises(Unreachable, match="before any command is run"):
            await jobs.state(shell, Job(id="night", kind=JobKind.BENCH, node="spark1", argv=("true",)))


async def test_an_account_without_a_shell_says_so(sshd: OpenSshd, tmp_path: Path) -> None:
    refuses = tmp_path / "nologin"
    refuses.write_text("#!/bin/sh\necho This account is currently not available.\nexit 1\n")
    refuses.chmod(0o755)
    shell = await connect_ssh(sshd.enter(str(refuses), tmp_path))
    with pytest.raises(Unreachable, match=r"status 1 before any command.*account is currently not available"):
        await shell.run(("true",))
    await shell.aclose()


async def test_a_login_shell_that_waits_or_never_ends_to_talk(sshd: OpenSshd, tmp_path: Path) -> None:
    async with login(sshd, tmp_path, "bash", "sleep 30\n") as shell:
        with pytest.raises(TimedOut, match="did not come to a command"):
            await shell.run(("true",), timeout=0.5)
    async with login(sshd, tmp_path, "bash", "yes\n") as shell:
        pipe = await shell.pipe(("true",))
        with pytest.raises(Unreachable, match="says too much: more than 1 MiB"):
            await pipe.read()


async def test_a_long_greeting_is_set_aside(sshd: OpenSshd, tmp_path: Path) -> None:
    async with login(sshd, tmp_path, "bash", "seq 1 100000\nseq 1 50000 >&2\n") as shell:
        done = await shell.run(("sh", "-c", "echo in; echo err >&2"))
        assert (done.stdout, done.stderr) == (b"in\n", b"err\n")


async def test_outputs_that_were_joined_say_no_mark(sshd: OpenSshd, tmp_path: Path) -> None:
    async with login(sshd, tmp_path, "bash", "exec 2>&1\necho hi\n") as shell:
        assert (await shell.run(("echo", "in"))).stdout == b"in\n"


async def test_a_wrapper_that_is_forced_changes_nothing(sshd: OpenSshd, tmp_path: Path) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\necho "logged"; eval "$2"\n')
    wrapper.chmod(0o755)
    shell = await connect_ssh(sshd.enter(str(wrapper), tmp_path))
    assert json.loads((await shell.run((*PRINT_WORDS, *WORDS))).checked().text) == list(WORDS)
    await shell.aclose()


@only_prints
async def test_a_long_command_arrives_whole(shell: SshShell) -> None:
    assert (await shell.run(("sh", "-c", 'echo "${#1}"', "n", "x'!\n" * 1500))).text == "6000\n"


@pytest.fixture(params=["ssh", "local"])
async def either(request: pytest.FixtureRequest, sshd: OpenSshd, tmp_path: Path) -> AsyncIterator[Shell]:
    if request.param == "local":
        yield LocalShell("spark1")
        return
    async with login(sshd, tmp_path, "bash") as shell:
        yield shell


@pytest.mark.parametrize(
    "flood", ["yes flood", "yes '' ", "yes flood >&2", "head -c 3000000 /dev/zero; sleep 60"]
)
async def test_an_answer_without_end_is_ended(
    either: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flood: str
) -> None:
    monkeypatch.setattr(shell_module, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(shell_module, "MOST_LINES", 100_000)
    said = f"echo $$ >{tmp_path}/pid; {flood}"
    with pytest.raises(
        TooMuch, match=r"spark1: `sh -c .* says too much and was ended: more than 1 MiB or 100000 lines"
    ):
        await either.run(("sh", "-c", said))
    assert await gone((tmp_path / "pid").read_text().strip())
    assert (await either.run(("echo", "on"))).text == "on\n", "the others go on"


async def test_words_that_are_no_text_are_refused(either: Shell) -> None:
    for word in ("a\0b", "\ud800"):
        with pytest.raises(WrongUsage, match="cannot be a word of a command"):
            await either.run(("echo", word))
        with pytest.raises(WrongUsage):
            await either.pipe(("echo", word))
