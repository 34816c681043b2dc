"""A machine that will freeze is told before it does; one that is merely full, or loading, is not."""

from __future__ import annotations

import pytest

from sparkconsole.model.serve.memory_guard import (
    Alarm,
    MemoryPoint,
    MemoryWatch,
    freeze_line,
    judge_memory,
)

GIB = 1 << 30
TOTAL = 120 * GIB


def falling(start: float, per_s: float, seconds: int = 20, **more: float) -> list[MemoryPoint]:
    """A reading a second, in GiB."""
    return [MemoryPoint(s, int((start - per_s * s) * GIB), **more) for s in range(seconds)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("points", "alarm"),
    [
        pytest.param(falling(60, 0), Alarm.CALM, id="half full"),
        pytest.param(falling(9, 0), Alarm.CALM, id="a served model at 0.9 leaves that"),
        pytest.param(falling(110, 2.0), Alarm.CALM, id="a model loads"),
        pytest.param(falling(15, 0.2), Alarm.NEAR, id="the line is near in time"),
        pytest.param(falling(15, 0.02), Alarm.CALM, id="it falls slowly"),
        pytest.param(falling(5.5, 0), Alarm.NEAR, id="tight as it is"),
        pytest.param(falling(3.9, 0), Alarm.LINE, id="below the line"),
        pytest.param(falling(5.5, 0, stalled=35.0), Alarm.LINE, id="nobody can go on"),
        pytest.param(falling(40, 0, stalled=35.0), Alarm.CALM, id="waits, with memory to spare"),
        pytest.param([], Alarm.CALM, id="nothing is known"),
    ],
)
def test_the_alarm(points: list[MemoryPoint], alarm: Alarm) -> None:
    assert judge_memory(points, TOTAL).alarm is alarm


def test_the_time_to_the_line_is_what_the_trend_says() -> None:
    found = judge_memory(falling(15, 0.2), TOTAL)
    assert found.to_line_s == pytest.approx((15 - 0.2 * 19 - 4) / 0.2, rel=0.01)
    assert "it freezes in 36 s" in found.sentence


def test_what_goes_to_swap_while_memory_is_short_is_a_warning() -> None:
    points = [MemoryPoint(s, 8 * GIB, s * GIB // 5) for s in range(10)]
    assert judge_memory(points, TOTAL).alarm is Alarm.NEAR
    assert "went to swap" in judge_memory(points, TOTAL).sentence
    assert judge_memory([MemoryPoint(s, 80 * GIB, s * GIB) for s in range(10)], TOTAL).alarm is Alarm.CALM


def test_a_smaller_machine_has_a_lower_line() -> None:
    assert freeze_line(TOTAL) == 4 * GIB
    assert freeze_line(20 * GIB) < GIB


def test_a_spike_of_one_reading_is_no_trend() -> None:
    assert judge_memory([MemoryPoint(0, 80 * GIB), MemoryPoint(1, 12 * GIB)], TOTAL).alarm is Alarm.CALM


def test_an_alarm_stays_until_there_is_room_again() -> None:
    watch = MemoryWatch()
    seen = [watch.add(MemoryPoint(s, left * GIB), TOTAL).alarm for s, left in enumerate((5, 3, 7, 9, 40))]
    assert seen == [Alarm.NEAR, Alarm.LINE, Alarm.LINE, Alarm.LINE, Alarm.CALM]
