"""The last fabric test in a line: the slowest pair, its verdict, and how long ago it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.text import Text

from sparkconsole.model.fabric.rates import Rate
from sparkconsole.tui.draw.fabric_result import gate_line, network_note, node_gate

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def gate(at: str, *gbits: float, peer: str = "b", device: str = "mlx") -> tuple[Rate, ...]:
    plain = Rate("a", peer, "", "ib_write_bw", 0.0, at=f"2026-01-02T{at}+00:00", device=device)
    return tuple(replace(plain, gbit=g, interface=f"if{i}") for i, g in enumerate(gbits))


OLD, GOOD, SLOW, DEAD = (
    gate("09:00:00", 97, 93),
    gate("11:57:00", 97, 92.5),
    gate("11:59:30", 70),
    gate("12:00:00", 13),
)


@pytest.mark.parametrize(
    ("kept", "line"),
    [
        ((), "○ the fabric was never tested · t tests it"),
        ((*OLD, *GOOD), "✔ fabric test 3m ago: 97.0 + 92.5 Gb/s · t again"),
        ((*OLD, *SLOW), "! fabric test 30s ago: 70.0 Gb/s · t again"),
        ((*OLD, *DEAD), "✖ fabric test 0s ago: 13.0 Gb/s · t again"),
        (gate("13:00:00", 97), "✔ fabric test 0s ago: 97.0 Gb/s · t again"),
        (gate("11:00:00", 97, device=""), "✔ fabric test 1h ago: 97.0 Gb/s of TCP · t again"),
        (
            (*GOOD, *gate("11:57:00", 96, 95, peer="c")),
            "✔ fabric test 3m ago: 97.0 + 92.5 Gb/s, slowest of 2 pairs · t again",
        ),
    ],
)
def test_the_newest_test_in_a_line(kept: tuple[Rate, ...], line: str) -> None:
    assert gate_line(kept, NOW).plain == line


def test_a_node_is_as_fast_as_its_slowest_neighbour() -> None:
    kept = (*OLD, *GOOD, *gate("11:57:00", 60, 60, peer="c"))
    assert [node_gate(kept, n) for n in ("a", "b", "c", "d")] == [
        "tested 120 Gb/s",
        "tested 190 Gb/s",
        "tested 120 Gb/s",
        "",
    ]


def test_the_network_page_needs_one_line_where_nothing_is_wrong() -> None:
    assert [t.plain for t in network_note([], (), NOW)] == [
        "✔ no problem found · the fabric was never tested: t"
    ]
    assert len(network_note([], GOOD, NOW)) == 1
    assert len(network_note([Text("! MTU differs")], GOOD, NOW)) == 2
