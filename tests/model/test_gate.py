"""Paths, ends and rates judged: what is wrong is said once, of the node it is wrong with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from sparkconsole.errors import CommandFailed, SparkError, Unreachable
from sparkconsole.model.checks import Finding, Severity
from sparkconsole.model.fabric.ends import judge_ends
from sparkconsole.model.fabric.links import Fabric, Gid, Hca, Netdev, NodeNetwork
from sparkconsole.model.fabric.paths import Echo, Path, Paths, Rail, RailWay, Route, judge_paths, rails, ways
from sparkconsole.model.fabric.rates import Rate, Unmeasured, earlier, judge_rate, judge_unmeasured, rounds
from sparkconsole.model.fabric.test import FabricTest

GOOD, LOST = Echo(2, 2, rtt_ms=0.05), Echo(2, 0)
HALVES = {"enp1s0f1np1": ("rocep1s0f1", "10.0.1"), "enP2p1s0f1np1": ("roceP2p1s0f1", "10.0.2")}
V4, LINK_LOCAL = "0000:0000:0000:0000:0000:ffff:0a00:0101", "fe80:0000:0000:0000:4ebb:47ff:fe2f:9113"


def fabric(number: int, *, without: str = "", gid: int = 3, mtu: int = 9000) -> Fabric:
    """A machine's two halves; `without`: the interface that has no address."""
    hcas, netdevs = [], []
    for name, (device, subnet) in HALVES.items():
        address = () if name == without else (f"{subnet}.{number}/24",)
        gids = (Gid(1, LINK_LOCAL, "RoCE v2"), *((Gid(gid, V4, "RoCE v2"),) if address else ()))
        hcas.append(Hca(device, name, up=True, gids=gids))
        netdevs.append(Netdev(name, address, mtu, up=True))
    return Fabric(tuple(hcas), tuple(netdevs))


def network(number: int, **given: object) -> NodeNetwork:
    plain = NodeNetwork("enp1s0f1np1", f"10.0.1.{number}", ("rocep1s0f1", "roceP2p1s0f1"), 9000, 3)
    return replace(plain, **given)  # type: ignore[arg-type]


def ends(count: int) -> dict[str, tuple[Rail, ...]]:
    return {f"n{i}": rails(network(i), fabric(i)) for i in range(1, count + 1)}


def paths(count: int, wrong: Callable[[RailWay], bool] = lambda way: False, **seen: object) -> Paths:
    """All ways of some nodes; those that are wrong are as `seen`."""
    well = (Path(w, GOOD, GOOD, Route(w.rail.interface)) for w in ways(ends(count)))
    return Paths(tuple(replace(p, **seen) if wrong(p.way) else p for p in well))  # type: ignore[arg-type]


def bad(found: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    return [(f.check, f.severity.value, f.node) for f in found if f.severity is not Severity.OK]


def test_every_rail_is_tried_both_ways_and_twins_meet_in_their_own_subnet() -> None:
    every = ways(ends(3))
    assert len(every) == 3 * 2 * 2
    for way in every:
        assert way.rail.network is not None
        assert way.far.address.rpartition(".")[0] == way.rail.address.rpartition(".")[0]


def test_twins_in_one_subnet_meet_by_their_place() -> None:
    one = IPv4Network("10.0.0.0/24")
    pair = {
        n: tuple(Rail(f"if{p}", f"10.0.0.{i * 10 + p}", one) for p in (1, 2))
        for i, n in enumerate(("a", "b"))
    }
    assert {(w.rail.address, w.far.address) for w in ways(pair)} == {
        ("10.0.0.1", "10.0.0.11"),
        ("10.0.0.2", "10.0.0.12"),
        ("10.0.0.11", "10.0.0.1"),
        ("10.0.0.12", "10.0.0.2"),
    }


def test_chosen_addresses_are_tried_even_in_two_subnets_and_a_lone_twin_is_not() -> None:
    there = {
        "a": rails(network(1), fabric(1)),
        "b": (Rail("eth9", "172.16.0.1", IPv4Network("172.16.0.0/16")),),
    }
    assert [(w.node, w.rail.interface, w.far.address) for w in ways(there)] == [
        ("a", "enp1s0f1np1", "172.16.0.1"),
        ("b", "eth9", "10.0.1.1"),
    ]


def test_a_network_alone_is_one_rail() -> None:
    assert rails(network(1)) == (Rail("enp1s0f1np1", "10.0.1.1", mtu=9000, gid_index=3),)


def test_nothing_wrong_is_three_good_words() -> None:
    found = judge_paths(paths(2))
    assert [(f.check, f.severity) for f in found] == [
        (c, Severity.OK) for c in ("reach", "route", "mtu path")
    ]
    assert judge_paths(Paths()) == (), "one node has no paths"


def test_the_one_node_that_nobody_reaches_is_named_once() -> None:
    def over(way: RailWay) -> bool:
        return "n3" in (way.node, way.peer) and way.rail.interface == "enp1s0f1np1"

    found = judge_paths(paths(4, over, small=LOST, large=LOST))
    assert bad(found) == [("reach", "fail", "n3")]
    assert "enp1s0f1np1" in next(f.sentence for f in found if f.check == "reach")


def test_between_two_nobody_knows_whose_fault_it_is() -> None:
    found = judge_paths(paths(2, lambda w: w.rail.interface == "enp1s0f1np1", small=LOST, large=LOST))
    assert bad(found) == [("reach", "fail", "n1"), ("reach", "fail", "n2")]


@pytest.mark.parametrize(
    ("far_mtu", "large", "expected"),
    [
        (1500, LOST, [("mtu path", "warn", "n2")]),
        (9000, LOST, [("mtu path", "fail", "n1")]),
        (9000, Echo(1, 0, limit=1500), [("mtu path", "warn", "n2")]),
        (9000, GOOD, []),
    ],
)
def test_frames_that_do_not_arrive_whole(
    far_mtu: int, large: Echo, expected: list[tuple[str, str, str]]
) -> None:
    """An end that is smaller is known and still works; frames that nobody answers for hang connections."""
    seen = paths(2)
    way = seen.paths[0].way
    first = replace(seen.paths[0], way=replace(way, far=replace(way.far, mtu=far_mtu)), large=large)
    assert bad(judge_paths(Paths((first, *seen.paths[1:])))) == expected


def test_a_way_over_another_interface_is_red_though_it_answers() -> None:
    found = judge_paths(paths(3, lambda w: w.node == "n1", route=Route("enP7s7", "10.9.9.1")))
    assert set(bad(found)) == {("route", "fail", "n1")}
    assert "enP7s7 by 10.9.9.1" in found[0].sentence
    none = judge_paths(paths(2, lambda w: w.node == "n1", route=Route(trouble="Network is unreachable")))
    assert "Network is unreachable" in none[0].sentence


def test_what_could_not_be_tried_is_unknown_and_never_red() -> None:
    seen = paths(
        2, lambda w: w.node == "n1", small=Echo(trouble="ping is not there"), large=Echo(), route=Route()
    )
    found = judge_paths(seen)
    assert bad(found) == [("reach", "warn", "n1")]
    assert "iputils-ping" in found[0].remedy


@pytest.mark.parametrize(
    ("error", "severity"), [(Unreachable("gone"), "fail"), (CommandFailed(("python3",), 127), "warn")]
)
def test_a_node_that_was_not_asked(error: SparkError, severity: str) -> None:
    assert bad(judge_paths(Paths((), {"n2": error}))) == [("reach", severity, "n2")]


# --- ends


def judged(*fabrics: Fabric, **given: object) -> list[tuple[str, str, str]]:
    names = {f"n{i}": f for i, f in enumerate(fabrics, 1)}
    chosen = {n: network(i, **(given if i == 2 else {})) for i, n in enumerate(names, 1)}
    return bad(judge_ends(chosen, names))


def test_ends_that_fit() -> None:
    assert judged(fabric(1), fabric(2)) == []
    assert judged(fabric(1, without="enP2p1s0f1np1"), fabric(2, without="enP2p1s0f1np1")) == [], (
        "one address a cable is enough"
    )


def test_ends_that_do_not_fit() -> None:
    assert judged(fabric(1), fabric(2, without="enP2p1s0f1np1")) == [
        ("address", "fail", "n2"),
        ("gid", "fail", "n2"),
    ]
    assert judged(fabric(1), fabric(2, gid=5)) == [("gid", "warn", "")] * 2
    assert judged(fabric(1), fabric(2), warnings=("half the bandwidth",)) == [("link", "warn", "n2")]


def test_a_half_that_leads_elsewhere_is_told_apart_from_a_ring() -> None:
    away = fabric(2)
    moved = replace(away.netdevs[1], addresses=("10.0.9.2/24",))
    assert judged(fabric(1), replace(away, netdevs=(away.netdevs[0], moved))) == [
        ("gid", "fail", "n1"),
        ("gid", "fail", "n2"),
    ]
    third = fabric(3)
    bridge = replace(third.netdevs[1], addresses=("10.0.9.3/24", "10.0.2.3/24"))
    ring = (
        fabric(1),
        replace(away, netdevs=(away.netdevs[0], moved)),
        replace(third, netdevs=(third.netdevs[0], bridge)),
    )
    assert judged(*ring) == [], "each half meets one neighbour"


def test_a_node_without_a_link_and_one_that_is_gone() -> None:
    chosen: dict[str, NodeNetwork | SparkError] = {
        "n1": network(1),
        "n2": SparkError("no RDMA port has a link"),
        "n3": Unreachable("gone"),
    }
    assert bad(judge_ends(chosen, {"n1": fabric(1)})) == [("link", "fail", "n2"), ("reachable", "fail", "n3")]


# --- rates


def rate(gbit: float, tool: str = "ib_write_bw", **given: object) -> Rate:
    plain = Rate("n1", "n2", "enp1s0f1np1", tool, gbit, at="2026-01-09", cluster="c")
    return replace(plain, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("gbit", "tool", "before", "severity"),
    [
        (97.28, "ib_write_bw", None, "ok"),
        (92.57, "ib_write_bw", 97.0, "ok"),
        (112.0, "ib_write_bw", None, "ok"),
        (84.0, "ib_write_bw", None, "warn"),
        (13.0, "ib_write_bw", None, "fail"),
        (13.0, "ib_write_bw", 13.0, "fail"),
        (90.0, "ib_write_bw", 112.6, "warn"),
        (96.0, "iperf3", None, "ok"),
        (9.4, "iperf3", None, "warn"),
        (40.0, "tcp", None, "ok"),
        (30.0, "tcp", 40.0, "warn"),
        (9.4, "tcp", None, "warn"),
    ],
)
def test_a_rate_against_what_such_links_carry_and_against_earlier(
    gbit: float, tool: str, before: float | None, severity: str
) -> None:
    assert judge_rate(rate(gbit, tool), before).severity == severity


def test_a_link_that_is_slow_by_its_own_word_is_only_compared_with_itself() -> None:
    assert judge_rate(rate(5.0, "tcp", speed_mbit=10_000)).severity is Severity.OK
    assert judge_rate(rate(5.0, "tcp", speed_mbit=10_000), 9.0).severity is Severity.WARN
    assert judge_rate(rate(5.0, "tcp", speed_mbit=200_000)).severity is Severity.WARN


def test_earlier_is_the_same_rail_by_the_same_tool_either_way_round() -> None:
    kept = (
        rate(90, at="2026-01-01"),
        rate(100, at="2026-01-02", node="n2", peer="n1"),
        rate(10, at="2026-01-03", tool="tcp"),
        rate(20, at="2026-01-04", interface="other"),
        rate(30, at="2026-01-05", cluster="d"),
        rate(40, at="2026-01-10"),
    )
    assert earlier(rate(95), kept) == 95
    assert earlier(rate(95, peer="n3"), kept) is None


def test_rdma_that_does_not_run_is_red_and_tcp_that_was_not_measured_is_unknown() -> None:
    way = ways(ends(2))[0]
    assert judge_unmeasured(Unmeasured(way, "ib_write_bw", "no GID")).severity is Severity.FAIL
    assert judge_unmeasured(Unmeasured(way, "tcp", "refused")).severity is Severity.WARN


@pytest.mark.parametrize("count", range(9))
def test_in_no_round_a_node_measures_twice_and_every_neighbour_is_measured(count: int) -> None:
    names = [f"n{i}" for i in range(count)]
    plan = rounds(names)
    for pairs in plan:
        used = [n for pair in pairs for n in pair]
        assert len(used) == len(set(used))
    edges = {frozenset(pair) for pairs in plan for pair in pairs}
    ring = {frozenset((names[i], names[(i + 1) % count])) for i in range(count)} if count > 1 else set()
    assert edges == ring
    assert len(plan) <= 3


# --- all of it


def test_a_line_per_pair_and_rail_with_its_own_verdict() -> None:
    def cut(way: RailWay) -> bool:
        return {way.node, way.peer} == {"n1", "n2"} and way.rail.interface == "enP2p1s0f1np1"

    chosen = {f"n{i}": network(i) for i in (1, 2, 3)}
    seen = paths(3, cut, small=LOST, large=LOST)
    measured = (rate(97.0), rate(13.0, node="n3", peer="n1"))
    lines = FabricTest(chosen, {n: fabric(i) for i, n in enumerate(chosen, 1)}, seen, measured).lines()
    told = {(x.there.way.node, x.there.way.peer, x.interface): (x.answers, x.verdict.value) for x in lines}
    assert told == {
        ("n1", "n2", "enp1s0f1np1"): ("0.05 ms", "ok"),
        ("n1", "n2", "enP2p1s0f1np1"): ("none", "fail"),
        ("n1", "n3", "enp1s0f1np1"): ("0.05 ms", "fail"),
        ("n1", "n3", "enP2p1s0f1np1"): ("0.05 ms", "ok"),
        ("n2", "n3", "enp1s0f1np1"): ("0.05 ms", "ok"),
        ("n2", "n3", "enP2p1s0f1np1"): ("0.05 ms", "ok"),
    }


def test_an_address_that_two_interfaces_hold_is_a_line_and_no_crash() -> None:
    """What is wired or configured wrongly is what the test is for."""
    here, there = ([Rail(name, address) for name in ("e0", "e1")] for address in ("10.0.0.1", "10.0.0.2"))
    both = [(RailWay("a", one, "b", other), RailWay("b", other, "a", one)) for one in here for other in there]
    found = Paths(paths=tuple(Path(way) for pair in both for way in pair))
    (line,) = FabricTest({}, {}, found).lines()
    assert (line.there.way.node, line.there.way.peer) == ("a", "b")


def test_only_red_keeps_a_cluster_from_starting() -> None:
    chosen = {f"n{i}": network(i) for i in (1, 2)}
    fabrics = {n: fabric(i) for i, n in enumerate(chosen, 1)}
    assert FabricTest(chosen, fabrics, paths(2), (rate(70.0),)).red == ()
    assert len(FabricTest(chosen, fabrics, paths(2), (rate(13.0),)).red) == 1
