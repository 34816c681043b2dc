"""ping, ip route, ib_write_bw and iperf3, read: a number that was printed is known, anything else is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkconsole.model.fabric.paths import Echo, Route
from sparkconsole.parse.fabric.tools import (
    parse_ib_write_bw,
    parse_iperf3,
    parse_ping,
    parse_route,
    trouble_of,
)

# As iputils 20221126 printed them here.
ANSWERED = """\
PING 127.0.0.1 (127.0.0.1) from 127.0.0.1 : 65000(65028) bytes of data.
65008 bytes from 127.0.0.1: icmp_seq=1 ttl=64 time=0.704 ms
65008 bytes from 127.0.0.1: icmp_seq=2 ttl=64 time=0.062 ms

--- 127.0.0.1 ping statistics ---
2 packets transmitted, 2 received, 0% packet loss, time 201ms
rtt min/avg/max/mdev = 0.062/0.383/0.704/0.321 ms
"""
TOO_LONG = """\
PING 127.0.0.1 (127.0.0.1) from 127.0.0.1 : 8973(9001) bytes of data.
ping: local error: message too long, mtu=9000

--- 127.0.0.1 ping statistics ---
1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms
"""
SWALLOWED = TOO_LONG.replace("ping: local error: message too long, mtu=9000\n", "").replace(", +1 errors", "")
ROUTER = SWALLOWED.replace("\n\n", "\nFrom 10.0.0.9 icmp_seq=1 Frag needed and DF set (mtu = 1500)\n\n", 1)


@pytest.mark.parametrize(
    ("text", "status", "echo"),
    [
        (ANSWERED, 0, Echo(2, 2, rtt_ms=0.383)),
        (TOO_LONG, 1, Echo(1, 0, limit=9000)),
        (ROUTER, 1, Echo(1, 0, limit=1500)),
        (SWALLOWED, 1, Echo(1, 0)),
        ("ping: bind: Cannot assign requested address\n", 2, Echo(trouble="Cannot assign requested address")),
        ("ping: connect: Network is unreachable\n", 2, Echo(trouble="Network is unreachable")),
        ("/bin/ping: invalid option -- 'M'\n", 2, Echo(trouble="invalid option -- 'M'")),
        (
            "ping: socktype: SOCK_RAW\nping: socket: not permitted\nping: => missing cap_net_raw+p\n",
            2,
            Echo(trouble="missing cap_net_raw+p"),
        ),
        ("", 127, Echo(trouble="ping is not there")),
        ("", None, Echo(trouble="ping did not end")),
        ("\x1b[2J garbage", 0, Echo(trouble="\x1b[2J garbage")),
        ("", 0, Echo(trouble="it said nothing")),
    ],
)
def test_what_ping_said(text: str, status: int | None, echo: Echo) -> None:
    assert parse_ping(text, status) == echo


@pytest.mark.parametrize(
    ("text", "status", "route"),
    [
        ("10.0.0.2 from 10.0.0.1 dev enp1s0f1np1 uid 1000 \\    cache \n", 0, Route("enp1s0f1np1")),
        ("10.0.0.2 from 10.0.0.1 via 10.9.0.1 dev enP7s7 uid 0 \\    cache", 0, Route("enP7s7", "10.9.0.1")),
        ("local 10.0.0.1 from 10.0.0.1 dev lo uid 0 \\    cache <local> ", 0, Route("lo")),
        ("10.0.0.2 from 10.0.0.1 dev eth0@if10 uid 0 \\    cache", 0, Route("eth0")),
        ("RTNETLINK answers: Network is unreachable\n", 2, Route(trouble="Network is unreachable")),
        ("", 127, Route()),
        ("", 0, Route(trouble="nobody said")),
    ],
)
def test_which_way_the_kernel_would_take(text: str, status: int, route: Route) -> None:
    assert parse_route(text, status) == route


def test_the_average_of_ib_write_bw(captures_of_others: Path) -> None:
    found = {
        path.name: parse_ib_write_bw(path.read_text())
        for path in (captures_of_others / "fabric").glob("ib_write_bw-*.txt")
    }
    assert found, "no captures"
    for name, gbit in found.items():
        assert gbit == pytest.approx(float(name.rpartition("-")[2].removesuffix(".txt")), abs=0.02)


def test_the_last_average_counts_and_a_table_in_megabytes_does_not() -> None:
    head = " #bytes #iterations BW peak[Gb/sec] BW average[Gb/sec] MsgRate[Mpps]\n"
    rows = " 65536 1 0.00 92.10 0.1\n 65536 2 0.00 92.57 0.1\n"
    assert parse_ib_write_bw(head + rows) == 92.57
    assert parse_ib_write_bw((head + rows).replace("Gb/sec", "MB/sec")) is None
    assert parse_ib_write_bw(head) is None
    assert parse_ib_write_bw(head + " 65536 1 0.00 nan 0.1") is None


def test_iperf3_tells_what_arrived_or_why_nothing_did() -> None:
    assert parse_iperf3('{"end": {"sum_received": {"bits_per_second": 96.5e9}}}') == 96.5
    assert parse_iperf3('{"end": {}}') is None
    assert parse_iperf3("[" * 100_000) is None
    assert trouble_of('{"error": "unable to connect to server"}') == "unable to connect to server"


def test_the_line_that_says_why() -> None:
    said = " WARNING: peak not measured\nCouldn't connect to 10.0.0.2:18515\nbye\n"
    assert trouble_of(said) == "Couldn't connect to 10.0.0.2:18515"
    assert trouble_of("one\ntwo\n-----\n") == "two"
    assert trouble_of("") == ""
