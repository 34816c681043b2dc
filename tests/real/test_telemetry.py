"""The sampler on real nodes: its counters are true, a node without Python says so, it ends in time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.real.conftest import Operator
from tests.testbed.testbed import Testbed, until

PROGRAM = str(Path(sys.executable).parent / "sparkconsole")
FABRIC, RAIL, MEGABYTES = "enp1s0f1np1", "rocep1s0f1", 64
RECEIVE = """import socket
listening = socket.create_server(("{}", 7741))
print("on", flush=True)
coming = listening.accept()[0]
while coming.recv(65536):
    pass
"""
SEND = "import socket as s;c=s.create_connection(('{}',7741));[c.sendall(bytes(1<<20)) for _ in range({})]"


@pytest.fixture(autouse=True)
def _nothing_left(bed: Testbed, operator: Operator) -> Iterator[None]:
    """No sampler outlives the console that asked it."""
    yield
    for index in (1, 2):
        until(lambda i=index: samplers(bed, i) == [], "the sampler has ended", 20)  # type: ignore[misc]


def samplers(bed: Testbed, index: int) -> list[str]:
    return bed.processes(index, r"python3 -u -c .* sampler")


def watched(operator: Operator, *words: str) -> list[dict[str, Any]]:
    """All rows of one watch."""
    done = operator.run("--json", "status", "--watch", *words, timeout=90)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def pushed(bed: Testbed, megabytes: int) -> None:
    """So many go from node 1 to node 2 over the fabric, and no more."""
    address = bed.places.address(2, "fab")
    pid = bed.pid(2)
    words = ("nsenter", "-t", str(pid), "-m", "-n", "-p", "-r", "timeout", "30", "python3", "-c")
    with subprocess.Popen((*words, RECEIVE.format(address)), stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout
        assert receiver.stdout.readline() == b"on\n"
        bed.exec(1, "timeout", "30", "python3", "-c", SEND.format(address, megabytes))
        receiver.wait(30)


def test_what_went_over_the_fabric_is_what_the_counters_say(bed: Testbed, operator: Operator) -> None:
    command = bed.operator_argv(PROGRAM, "--json", "status", "--watch", "--every", "0.5", "--count", "16")
    with subprocess.Popen(command, env=operator.environment, stdout=subprocess.PIPE, text=True) as console:
        assert console.stdout
        rows = [json.loads(console.stdout.readline())]
        until(lambda: samplers(bed, 1) != [] and samplers(bed, 2) != [], "both are sampled", 30)
        time.sleep(1.0)  # two samples before it begins, so that all of it lies between two
        pushed(bed, MEGABYTES)
        rows += [json.loads(line) for line in console.stdout]
        assert console.wait(60) == 0
    for node, way in (("spark1", "tx_per_s"), ("spark2", "rx_per_s")):
        seen = [row for row in rows if row["node"] == node]
        for kind, name in (("nets", FABRIC), ("rails", RAIL)):
            carried = moved(seen, kind, name, way)
            assert 0.98 < carried / (MEGABYTES << 20) < 1.2, (node, kind, carried)
        assert seen[-1]["rails"][RAIL]["up"] is True
        assert seen[-1]["memory"]["total"] > 0
        assert seen[-1]["memory"]["cached"] is not None


def moved(rows: list[dict[str, Any]], kind: str, name: str, way: str) -> float:
    """Bytes: rates over the node's own seconds."""
    pairs = pairwise(rows)
    return sum(float((b[kind][name][way] or 0.0) * (b["clock_s"] - a["clock_s"])) for a, b in pairs)


def test_a_console_that_is_killed_leaves_no_sampler(bed: Testbed, operator: Operator) -> None:
    console = operator.start("status", "--watch")
    try:
        until(lambda: len(samplers(bed, 1)) == 1 and len(samplers(bed, 2)) == 1, "one sampler a node", 30)
    finally:
        console.kill()
        console.wait(10)
    for index in (1, 2):
        until(lambda i=index: samplers(bed, i) == [], "the sampler has ended", 20)  # type: ignore[misc]


def test_one_login_and_one_process_a_node_for_all_rows(bed: Testbed, operator: Operator) -> None:
    before = [len(bed.logins(index)) for index in (1, 2)]
    rows = watched(operator, "--count", "3")
    assert [len(bed.logins(index)) for index in (1, 2)] == [n + 1 for n in before]
    assert {row["state"] for row in rows} == {"reachable"}
    assert len(rows) == 6


def test_a_node_without_python_says_so_and_is_read_by_its_tools(bed: Testbed, operator: Operator) -> None:
    place = bed.exec(2, "sh", "-c", "command -v python3").strip()
    bed.exec(2, "mv", place, f"{place}-hidden")
    try:
        rows = watched(operator, "--count", "2")
    finally:
        bed.exec(2, "mv", f"{place}-hidden", place)
    first, second = (row for row in rows if row["node"] == "spark2")
    assert first["state"] == "unknown"
    assert "python3" in first["error"]["cause"]
    assert second["state"] == "reachable"
    assert second["memory"]["total"] > 0
