"""Memory that comes back is told from memory that does not, and from memory that is there."""

from __future__ import annotations

import pytest

from sparkconsole.model.serve.memory_guard import MemoryPoint, MemoryReturn, judge_return, waits_for

GB = 10**9


def seen(*available: float, every: float = 1.0) -> list[MemoryPoint]:
    return [MemoryPoint(n * every, int(a * GB)) for n, a in enumerate(available)]


@pytest.mark.parametrize(
    ("readings", "outcome"),
    [
        pytest.param(seen(110), MemoryReturn.ENOUGH, id="enough at once"),
        pytest.param(seen(20), MemoryReturn.UNKNOWN, id="one look says nothing"),
        pytest.param(seen(20, 30, 45), MemoryReturn.COMES, id="it grows"),
        pytest.param(seen(20, 30, 45, 105), MemoryReturn.ENOUGH, id="it is back"),
        pytest.param(seen(20, 20, 20.01, 20.02), MemoryReturn.STAYS, id="it does not grow"),
        pytest.param(seen(20, 60, 60, 60, 60), MemoryReturn.STAYS, id="it grew and stopped"),
        pytest.param(seen(20, 19, 18), MemoryReturn.UNKNOWN, id="it falls, too early to tell"),
        pytest.param([], MemoryReturn.UNKNOWN, id="nothing"),
    ],
)
def test_how_it_stands(readings: list[MemoryPoint], outcome: MemoryReturn) -> None:
    assert judge_return(readings, 100 * GB) is outcome


def test_what_is_waited_for_has_both_numbers() -> None:
    assert waits_for(45 * GB, 109 * GB).endswith("45.0 GB of 109.0 GB are available")
