"""Looking along a link and measuring it, on this machine's loopback: a number or a reason, nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

from sparkconsole.errors import CommandFailed, SparkError
from sparkconsole.model.fabric.paths import Echo, Rail, RailWay, Route
from sparkconsole.remote.fabric.paths import commands, look_along
from sparkconsole.remote.fabric.rate import ends, measured, tool_for, tools
from sparkconsole.remote.local import LocalShell
from tests.testbed.waiting import until

WAY = RailWay(
    "a",
    Rail("lo", "127.0.0.1", mtu=9000, device="mlx0", gid_index=3),
    "b",
    Rail("lo", "127.0.0.2", device="mlx1", gid_index=5),
)
METER = f"""#!{sys.executable}
import os, socket, sys, time
words = sys.argv[1:]
port = int(words[words.index("-p") + 1])
with open(os.environ["METER_SAW"], "a") as saw: saw.write(" ".join(words) + " pid %d\\n" % os.getpid())
if os.environ.get("METER_FAILS"): sys.exit("Couldn't get device attributes")
if words[-1].count(".") == 3:
    line = socket.create_connection((words[-1], port))
    time.sleep(float(os.environ.get("METER_TAKES", "0")))
    print(" #bytes #iterations BW peak[Gb/sec] BW average[Gb/sec] MsgRate[Mpps]")
    print(" 65536 882805 0.00 92.57 0.17")
else:
    socket.create_server(("", port)).accept()[0].recv(1)
"""


@pytest.fixture
def shell() -> LocalShell:
    return LocalShell("a")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tools in front of the machine's own; measurements are short."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("METER_SAW", str(tmp_path / "saw"))
    monkeypatch.setattr("sparkconsole.remote.fabric.rate.SECONDS", 0.2)
    return tmp_path


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def alive(folder: Path) -> list[str]:
    """Meters that ran and still do."""
    pids = [line.split()[-1] for line in (folder / "saw").read_text().splitlines()]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def test_each_way_is_asked_for_its_route_and_for_a_small_and_the_largest_frame(
    shell: LocalShell, bench: Path
) -> None:
    put(bench, "ip", '#!/bin/sh\necho "$4 from $6 dev lo uid 0 \\\\    cache"')
    said = "echo '2 packets transmitted, 2 received, 0% packet loss, time 1ms'"
    put(bench, "ping", f'#!/bin/sh\ncase "$*" in *"-s 8972"*) echo "mtu"; exit 1;; esac\n{said}')
    (path,) = await look_along(shell, (WAY,))
    assert path.route == Route("lo")
    assert path.small == Echo(2, 2)
    assert not path.large.came_back
    assert all("-M" in argv and "do" in argv for argv in commands(WAY)[1:]), "never in pieces"


async def test_tools_that_are_not_there_leave_it_unknown(
    shell: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "python3", f'#!/bin/sh\nPATH=/nowhere exec {sys.executable} "$@"')
    put(tmp_path, "ping", "#!/nowhere/at-all")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (path,) = await look_along(shell, (WAY,))
    assert not path.small.came_back
    assert path.small.trouble or path.small.sent


async def test_no_python_is_an_error_of_that_node(
    shell: LocalShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "python3", "#!/bin/sh\nexit 127")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(CommandFailed) as caught:
        await look_along(shell, (WAY,))
    assert (caught.value.node, caught.value.status) == ("a", 127)


async def test_plain_tcp_measures_without_any_tool(shell: LocalShell, bench: Path) -> None:
    assert await measured(shell, shell, WAY, "tcp") > 0.1


async def test_rdma_is_measured_by_the_two_ends_of_its_tool(shell: LocalShell, bench: Path) -> None:
    put(bench, "ib_write_bw", METER)
    assert "ib_write_bw" in await tools(shell)
    assert await measured(shell, shell, WAY, "ib_write_bw") == 92.57
    server, client = (bench / "saw").read_text().splitlines()
    assert server.startswith("-d mlx1 -i 1 -x 5 -p ")
    assert client.startswith("-d mlx0 -i 1 -x 3 -p ")
    assert server.split("-p ")[1].split()[0] == client.split("-p ")[1].split()[0], "one free port"
    assert alive(bench) == []


async def test_a_tool_that_fails_says_why(
    shell: LocalShell, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bench, "ib_write_bw", METER)
    monkeypatch.setenv("METER_FAILS", "1")
    with pytest.raises(SparkError, match="Couldn't get device attributes"):
        await measured(shell, shell, WAY, "ib_write_bw")
    assert alive(bench) == []


async def test_what_is_cancelled_midway_leaves_nothing(
    shell: LocalShell, bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bench, "ib_write_bw", METER)
    monkeypatch.setenv("METER_TAKES", "60")
    under_way = asyncio.ensure_future(measured(shell, shell, WAY, "ib_write_bw"))
    saw = bench / "saw"
    both = lambda: saw.exists() and len(saw.read_text().splitlines()) == 2  # noqa: E731
    await asyncio.to_thread(until, both, "both ends run", 20)
    assert len(alive(bench)) == 2
    under_way.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await under_way
    assert alive(bench) == []


async def test_nobody_to_measure_with(shell: LocalShell, bench: Path) -> None:
    far = Rail("lo", "192.0.2.1")
    with pytest.raises(SparkError):
        await measured(shell, shell, RailWay("a", WAY.rail, "b", far), "tcp")


@pytest.mark.parametrize(
    ("both", "device", "tool"),
    [
        ({"ib_write_bw", "iperf3"}, "mlx0", "ib_write_bw"),
        ({"ib_write_bw", "iperf3"}, "", "iperf3"),
        ({"ib_write_bw"}, "", "tcp"),
        (set(), "mlx0", "tcp"),
    ],
)
def test_rdma_first_then_a_tool_then_our_own(both: set[str], device: str, tool: str) -> None:
    way = RailWay("a", Rail("lo", "127.0.0.1", device=device), "b", WAY.far)
    assert tool_for(way, frozenset(both)) == tool
    server, client = ends(way, tool)
    assert server["address"] == "127.0.0.2"
    assert client["address"] == "127.0.0.1"
