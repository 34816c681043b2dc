"""Who cancels a command ends it on every node, and hears what could not be ended: OpenSSH's own server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import openssh
from tests.testbed.waiting import until

pytestmark = [pytest.mark.programs, openssh.NEEDS_SSHD]

COMMANDS = {
    "one that waits": "exec sleep 777",
    "one that ignores SIGTERM, with a child": "trap '' TERM; sleep 777 & wait; sleep 777",
    "one that says much": "while :; do echo said; sleep 0.01; done",
}
Console = tuple[subprocess.Popen[bytes], int]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openssh.OpenSshd]:
    with openssh.listening(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def cluster(sshd: openssh.OpenSshd, tmp_path: Path) -> Iterator[Path]:
    node = sshd.enter("/bin/bash", tmp_path)
    login = f'{{ name = "spark1", address = "127.0.0.1", user = "{node.user}", port = {node.port} }}'
    nodes = f'{login}, {{ name = "here", address = "127.0.0.1", local = true }}'
    path = tmp_path / "cluster.toml"
    path.write_text(f"[clusters.me]\nnodes = [{nodes}]\n")
    yield path
    for run in (Path.home() / ".local/state/sparkconsole/runs").glob("*.json"):
        Path(f"/tmp/sparkconsole-mark-{run.stem}").unlink(missing_ok=True)


@contextlib.contextmanager
def console(cluster: Path, command: str, *options: str) -> Iterator[Console]:
    """`node exec` of a command under way on both nodes, each of which has written its number down.

    One is reached over SSH, the other is this machine.
    """
    shown, terminal = pty.openpty()
    words = ("--config", str(cluster), *options, "node", "exec", "--", "sh", "-c")
    script = f"echo $$ >>{cluster.parent}/pids; {command}"
    with subprocess.Popen(
        ("setsid", "--ctty", sys.executable, "-m", "sparkconsole", *words, script),
        stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        os.close(terminal)
        try:
            until(lambda: len(pids(cluster)) == 2 or process.poll() is not None, "both commands run", 20)
            assert process.poll() is None, process.communicate()
            yield process, shown
        finally:
            process.kill()
            with contextlib.suppress(OSError):
                os.close(shown)


def pids(cluster: Path) -> list[int]:
    path = cluster.parent / "pids"
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def runs(group: int) -> bool:
    """Something of the group lives; what ended and was not yet collected does not."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


def sent(number: signal.Signals) -> Callable[[Console], None]:
    return lambda console: console[0].send_signal(number)


WAYS: dict[str, Callable[[Console], None]] = {
    "Ctrl-C": lambda console: os.write(console[1], b"\x03") and None,
    "TERM": sent(signal.SIGTERM),
    "HUP": sent(signal.SIGHUP),
    "a terminal that is closed": lambda console: os.close(console[1]),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_runs_on(cluster: Path, command: str, way: str) -> None:
    with console(cluster, COMMANDS[command]) as under_way:
        groups = [os.getpgid(pid) for pid in pids(cluster)]
        WAYS[way](under_way)
        said, _ = under_way[0].communicate(timeout=30)
        assert under_way[0].returncode == 130, said
        assert [group for group in groups if runs(group)] == [], said
        assert said.decode() == "· cancelled\n"


APART = {
    "a session of its own": "setsid sleep 777 & echo $! >>{0}",
    "a daemon, its parents gone": "(setsid sh -c 'sleep 777 & echo $! >>{0}' </dev/null >/dev/null 2>&1 &)",
    "nohup": "nohup sleep 777 </dev/null >/dev/null 2>&1 & echo $! >>{0}",
    "one without its environment": "env -i /usr/bin/setsid /bin/sleep 777 & echo $! >>{0}",
    "one that holds the output": "setsid sh -c 'trap \"\" TERM; echo $$ >>{0}; sleep 777; sleep 777' &",
}
"""What leaves the process group of a command, and writes its number down."""


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "apart"
    yield path
    for pid in path.read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def both_apart(path: Path) -> list[int]:
    until(lambda: path.exists() and path.read_text().count("\n") == 2, "what is apart runs on both", 20)
    return [int(word) for word in path.read_text().split()]


@pytest.mark.parametrize("kind", APART)
def test_what_left_its_group_does_not_run_on(cluster: Path, apart: Path, kind: str) -> None:
    wait = "" if kind == "one that holds the output" else "; exec sleep 777"
    with console(cluster, APART[kind].format(apart) + wait) as under_way:
        detached = both_apart(apart)
        under_way[0].send_signal(signal.SIGINT)
        said, _ = under_way[0].communicate(timeout=30)
        assert under_way[0].returncode == 130, said
        assert [pid for pid in detached if lives(pid)] == [], said
        assert said.decode() == "· cancelled\n"


@pytest.mark.parametrize("kind", ["a daemon, its parents gone", "nohup"])
def test_what_a_command_detached_that_has_ended_runs_on(cluster: Path, apart: Path, kind: str) -> None:
    """Also while another node's command, which still runs, is cancelled."""
    here = f'[ "$HOME" = "{cluster.parent}" ] || exec sleep 777'
    with console(cluster, f"{APART[kind].format(apart)}\n{here}") as under_way:
        detached = both_apart(apart)
        assert under_way[0].stdout is not None
        awaited = under_way[0].stdout.readline()  # whom it still waits for, when it has seen the other's end
        assert awaited.startswith(b"! here still running"), awaited
        under_way[0].send_signal(signal.SIGINT)
        said, _ = under_way[0].communicate(timeout=30)
        assert said.decode().splitlines()[-1] == "· cancelled"
        assert sum(map(lives, detached)) == 1


@pytest.mark.parametrize("way", WAYS)
def test_json_ends_with_how_it_stands(cluster: Path, way: str) -> None:
    with console(cluster, COMMANDS["one that waits"], "--json") as under_way:
        WAYS[way](under_way)
        said, _ = under_way[0].communicate(timeout=30)
    assert under_way[0].returncode == 130, said
    assert json.loads(said.splitlines()[-1])["state"] == "cancelled"


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGHUP])
def test_who_cannot_wait_hears_what_may_run_on(cluster: Path, second: signal.Signals) -> None:
    """A second signal cuts short what the first began: then the end is not seen."""
    with console(cluster, "exec sleep 777") as under_way:
        groups = [os.getpgid(pid) for pid in pids(cluster)]
        under_way[0].send_signal(signal.SIGINT)
        under_way[0].send_signal(second)
        said, _ = under_way[0].communicate(timeout=30)
        left = [group for group in groups if runs(group)]
        for group in left:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
    assert under_way[0].returncode != 0
    assert not left or b"may still run" in said, said


def test_what_ran_on_a_lost_node_is_named_too(cluster: Path) -> None:
    """Its connection broke earlier, and the other node's command is what is cancelled."""
    with console(cluster, "exec sleep 777") as under_way:
        groups = [os.getpgid(pid) for pid in pids(cluster)]
        for pid in sessions(cluster):
            os.kill(pid, signal.SIGKILL)
        WAYS["Ctrl-C"](under_way)
        said, _ = under_way[0].communicate(timeout=60)
        left = [group for group in groups if runs(group)]
        for group in left:
            os.killpg(group, signal.SIGKILL)
    assert len(left) == 1, "the lost node's"
    assert said.count(b"may still run") == 1, said


@pytest.mark.parametrize("way", ["Ctrl-C", "HUP"])
def test_what_could_not_be_ended_is_named(cluster: Path, way: str) -> None:
    """The node is frozen: nothing is answered, and its command goes on once it thaws."""
    with console(cluster, "exec sleep 777", "--json") as under_way:
        groups = [os.getpgid(pid) for pid in pids(cluster)]
        frozen = sessions(cluster)
        assert frozen
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            WAYS[way](under_way)
            said, _ = under_way[0].communicate(timeout=60)
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)
            for group in groups:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
    assert under_way[0].returncode == 130, said
    assert said.count(b"may still run: its end") == 1, said
    assert b"spark1 `sh -c 'echo" in said
    last = json.loads(said.splitlines()[-1])
    assert (last["state"], last["error"]["kind"]) == ("unknown", "Cancelled")
    assert last["error"]["hint"].startswith("sparkconsole runs attach ")
    listed = subprocess.run(
        (sys.executable, "-m", "sparkconsole", "--config", str(cluster), "runs", "list"),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "unknown" in listed.stdout


def sessions(cluster: Path) -> set[int]:
    """The processes of sshd that carry a command; not the listening one."""
    found: set[int] = set()
    for each in pids(cluster):
        above = _parent(each)
        if _name(above) == "timeout":
            above = _parent(above)
        while _name(above) == "sshd" and _name(_parent(above)) == "sshd":
            found.add(above)
            above = _parent(above)
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
