"""LocalShell keeps the promises of a Shell on this machine."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from pathlib import Path

import pytest

from sparkconsole.errors import CommandFailed, TimedOut, Unreachable
from sparkconsole.model.cluster import Node
from sparkconsole.remote import local
from sparkconsole.remote.connect import connect, is_local, is_own_address
from sparkconsole.remote.follow import followed
from sparkconsole.remote.local import LocalShell
from sparkconsole.remote.shell import Endpoint

pytestmark = pytest.mark.programs

WORDS = ("a b", '{"x": "$y"}', "ü", "it's", "new\nline", "", "$(id)", "*")


@pytest.fixture
def shell() -> LocalShell:
    return LocalShell("spark1")


async def test_arguments_arrive_byte_for_byte(shell: LocalShell) -> None:
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    assert json.loads((await shell.run((sys.executable, "-c", code, *WORDS))).text) == list(WORDS)


async def test_status_output_and_errors_come_back_apart(shell: LocalShell) -> None:
    done = await shell.run(("sh", "-c", "cat; echo bad >&2; exit 7"), stdin=b"\x00\xff")
    assert (done.node, done.status, done.stdout, done.stderr) == ("spark1", 7, b"\x00\xff", b"bad\n")


async def test_a_command_that_is_not_there_is_127_as_over_ssh(shell: LocalShell) -> None:
    assert (await shell.run(("no-such-command-anywhere",))).status == 127


async def test_a_timeout_ends_the_whole_group(shell: LocalShell, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(TimedOut):
        await shell.run(("sh", "-c", f"sleep 300 & echo $! >{pid}; wait"), timeout=0.5)
    async with asyncio.timeout(10):
        while _running(pid.read_text().strip()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


def _running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_cancelling_at_any_moment_comes_back(shell: LocalShell) -> None:
    for turns in range(12):
        running = asyncio.create_task(shell.run(("sleep", "300"), timeout=600))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait({running}, timeout=10)
        assert done, f"it hangs when cancelled after {turns} turns of the loop"
        assert running.cancelled()


async def test_secrets_are_in_the_environment_and_not_in_argv(shell: LocalShell) -> None:
    argv = ("sh", "-c", 'echo "$TOKEN"; tr "\\0" " " </proc/$$/cmdline; cat')
    done = await shell.run(argv, stdin=b"rest", secrets={"TOKEN": "s3 'c'"})
    first, rest = done.text.split("\n", 1)
    assert first == "s3 'c'"
    assert "s3" not in rest
    assert rest.endswith("rest")


async def test_lines_as_they_come_and_the_failure_at_the_end(shell: LocalShell) -> None:
    lines = followed(shell, ("sh", "-c", r"printf '1%%\r2%%\r\n\377\nout\n'; exit 3"))
    assert [await anext(lines) for _ in range(4)] == ["1%", "2%", "\ufffd", "out"]
    with pytest.raises(CommandFailed, match="status 3"):
        await anext(lines)


async def test_a_pipe_carries_bytes_both_ways(shell: LocalShell) -> None:
    pipe = await shell.pipe(("sh", "-c", "cat; echo said >&2; exit 4"))
    await pipe.write(b"\x00data")
    await pipe.close_input()
    assert await pipe.read() == b"\x00data"
    assert await pipe.read() == b""
    done = await pipe.wait()
    assert (done.status, done.stderr) == (4, b"said\n")
    await pipe.kill()


async def test_a_socket_of_this_machine_is_itself(shell: LocalShell) -> None:
    assert await shell.open_socket("/run/x.sock") == Endpoint(path="/run/x.sock")
    assert await shell.open_socket("127.0.0.1:80") == Endpoint(host="127.0.0.1", port=80)


async def test_who_is_this_machine() -> None:
    own = ("127.0.0.1", "127.9.9.9", "::1")
    others = ("192.0.2.1", "2001:db8::1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "name.invalid", "")
    assert all(map(is_own_address, own))
    assert not any(map(is_own_address, others))
    here = await connect(Node(name="me", address="127.0.0.1"))
    assert isinstance(here, LocalShell)
    behind = Node(name="me", address="127.0.0.1", port=2222)
    assert not is_local(behind), "a port forward of this machine is somebody else"


@pytest.mark.parametrize("leads_to", ["127.0.0.1", "::1", "own"])
async def test_a_name_is_never_this_machine_wherever_it_leads(
    monkeypatch: pytest.MonkeyPatch, leads_to: str
) -> None:
    """Spoofed DNS would have the operator's own machine stopped."""
    own = next((a for a in await _addresses() if a not in ("127.0.0.1", "::1")), "127.0.0.1")
    target = own if leads_to == "own" else leads_to
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    places = [(family, socket.SOCK_DGRAM, 17, "", (target, 9))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
    for name in ("spark1", "localhost", socket.gethostname()):
        node = Node(name="spark1", address=name)
        assert not is_local(node)
        assert is_local(node.model_copy(update={"local": True})), "a person said so"
    # The configuration decides where it goes; here nobody listens.
    (Path.home() / ".ssh").mkdir()
    (Path.home() / ".ssh/config").write_text("Host spark1\n  HostName 127.0.0.1\n  Port 9\n")
    with pytest.raises(Unreachable) as caught:
        await connect(Node(name="spark1", address="spark1"))
    assert "local = true" in caught.value.hint


async def _addresses() -> list[str]:
    seen = await LocalShell("here").run(("sh", "-c", "hostname -I || true"))
    return seen.text.split()


async def test_what_ignores_a_polite_end_is_ended(shell: LocalShell) -> None:
    pipe = await shell.pipe(("sh", "-c", 'trap "" TERM; echo "$$"; while :; do sleep 0.1; done'))
    pid = (await pipe.read()).decode().strip()
    async with asyncio.timeout(20):
        await pipe.kill()
    assert not _running(pid)


async def test_where_the_look_at_all_of_it_does_not_end_its_own_group_does(
    shell: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine: nothing of it runs on, nor the look, and nobody says that it was seen."""
    monkeypatch.setattr(local, "_END", f"echo $$ >{tmp_path}/look; exec sleep 778")
    monkeypatch.setattr(local, "_END_S", 0.3)
    pipe = await shell.pipe(("sh", "-c", f"echo $$ >{tmp_path}/own; echo on; exec sleep 777"))
    assert await pipe.read() == b"on\n"
    await pipe.kill()
    assert pipe._process.returncode is not None
    assert not [name for name in ("own", "look") if _running((tmp_path / name).read_text().strip())]
