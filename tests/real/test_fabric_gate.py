"""The fabric gate on real nodes: what is wrong with a link is found by name, and nothing stays behind."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real.conftest import Operator
from tests.testbed.network import ip, port
from tests.testbed.testbed import Testbed, until

FIRST, SECOND = "enp1s0f1np1", "enP2p1s0f1np1"
pytestmark = pytest.mark.skipif(
    shutil.which("ping") is None, reason="the nodes are this machine's copies: needs iputils-ping"
)


@pytest.fixture(autouse=True)
def _nothing_left(bed: Testbed, operator: Operator) -> Iterator[None]:
    """Neither end of a measurement outlives it."""
    yield
    for index in (1, 2):
        until(lambda i=index: bed.processes(i, "gate-[ml]|ping -n") == [], "nothing measures", 15)  # type: ignore[misc]
        assert bed.leftovers(index) == []


def tried(operator: Operator, *words: str) -> tuple[int, dict[str, Any]]:
    done = operator.run("--json", "fabric", "test", *words, timeout=60)
    assert done.stdout.strip(), done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1])


def wrong(answer: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Check and node of what is not as it should be, with the severity."""
    return {(f["check"], f["node"]): f["severity"] for f in answer["findings"] if f["severity"] != "ok"}


@contextlib.contextmanager
def changed(bed: Testbed, index: int, change: str, back: str) -> Iterator[None]:
    bed.exec(index, *change.split())
    try:
        yield
    finally:
        bed.exec(index, *back.split())


def test_healthy_nodes_carry_full_frames_and_their_rates_are_kept(operator: Operator) -> None:
    code, answer = tried(operator)
    assert (code, answer["verdict"]) == (0, "ok"), answer["findings"]
    assert {p["interface"] for p in answer["pairs"]} == {FIRST, SECOND}
    for pair in answer["pairs"]:
        assert pair["whole_frames"] == [True, True]
        assert pair["mtu"] == [9000, 9000]
        assert (pair["tool"], pair["gbit"] > 0.1) == ("tcp", True)
    kept = operator.ask("fabric", "history")["rates"]
    assert {r["gbit"] for r in kept[:2]} == {p["gbit"] for p in answer["pairs"]}


def test_frames_that_one_end_is_too_small_for(bed: Testbed, operator: Operator) -> None:
    link = f"ip link set {FIRST} mtu"
    with changed(bed, 2, f"{link} 1500", f"{link} 9000"):
        code, answer = tried(operator, "--quick")
    assert (code, wrong(answer)[("mtu path", "spark2")]) == (0, "warn")
    first = next(p for p in answer["pairs"] if p["interface"] == FIRST)
    assert first["whole_frames"] == [False, True], "it is tried both ways"


def test_a_switch_that_swallows_large_frames_is_red(bed: Testbed, operator: Operator) -> None:
    door = ("link", "set", port(2, "fab"), "mtu")
    ip(*door, "1500", namespace=bed.places.switch)
    try:
        code, answer = tried(operator, "--quick")
    finally:
        ip(*door, "9000", namespace=bed.places.switch)
    assert code == 1
    assert "fail" in {severity for (check, _), severity in wrong(answer).items() if check == "mtu path"}


def test_half_a_cable_and_none(bed: Testbed, operator: Operator) -> None:
    try:
        bed.cut(2, "fab")
        code, answer = tried(operator, "--quick")
        assert (code, wrong(answer)) == (0, {("link", "spark2"): "warn"})
        bed.cut(2, "fab2")
        code, answer = tried(operator, "--quick")
        assert (code, wrong(answer)[("link", "spark2")]) == (1, "fail")
    finally:
        bed.heal(2, "fab", "fab2")


def test_an_address_that_is_missing(bed: Testbed, operator: Operator) -> None:
    address = f"{bed.places.address(2, 'fab')}/24 dev {FIRST}"
    with changed(bed, 2, f"ip addr del {address}", f"ip addr add {address}"):
        code, answer = tried(operator, "--quick")
    assert (code, wrong(answer)[("address", "spark2")]) == (1, "fail")


def test_a_route_over_the_slow_port(bed: Testbed, operator: Operator) -> None:
    route = f"{bed.places.address(2, 'fab')}/32 dev enP7s7"
    with changed(bed, 1, f"ip route add {route}", f"ip route del {route}"):
        code, answer = tried(operator, "--quick")
    assert (code, wrong(answer)[("route", "spark1")]) == (1, "fail")
    told = next(f["sentence"] for f in answer["findings"] if f["check"] == "route")
    assert "enP7s7" in told
    assert ("reach", "spark1") not in wrong(answer), "it answers, over the wrong port"


def test_a_console_that_is_killed_while_it_measures(bed: Testbed, operator: Operator) -> None:
    console = operator.start("fabric", "test")
    until(lambda: bool(bed.processes(2, "gate-meter")), "it measures", 30)
    console.kill()
    console.wait(10)


def test_a_cable_that_is_pulled_while_it_measures(bed: Testbed, operator: Operator) -> None:
    console = operator.start("fabric", "test")
    try:
        until(lambda: bool(bed.processes(2, "gate-meter")), "it measures", 30)
        bed.cut(2, "fab", "fab2")
        assert console.wait(60) in (0, 1)
    finally:
        bed.heal(2, "fab", "fab2")
        console.kill()
        console.wait(10)
