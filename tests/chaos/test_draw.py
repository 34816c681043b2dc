"""A run can be made again, taken up where it was, and read as a table."""

from __future__ import annotations

from pathlib import Path

from tests.chaos import report
from tests.chaos.catalogue import VERBS
from tests.chaos.draw import drawn, named
from tests.chaos.faults import FAULTS
from tests.chaos.record import Ending, Hits, Record
from tests.chaos.test_short import TRIALS

PAIRS = {verb.name: verb.under for verb in VERBS.values()}


def test_the_same_seed_draws_the_same_trials() -> None:
    assert drawn(5, 40, PAIRS) == drawn(5, 40, PAIRS)
    assert drawn(5, 40, PAIRS) != drawn(6, 40, PAIRS)
    assert drawn(5, 60, PAIRS)[:40] == drawn(5, 40, PAIRS), "more of them change none of the first"
    assert {draw.verb for draw in drawn(5, 200, PAIRS)} == set(VERBS)


def test_a_named_trial_has_its_moment_wherever_it_stands() -> None:
    first, second = named(5, [("stop", "power"), ("status", "power")])
    again = named(5, [("status", "power"), ("stop", "power")])
    assert (second.moment, first.moment) == tuple(draw.moment for draw in again)
    assert first.moment != named(6, [("stop", "power")])[0].moment


def test_every_fault_of_a_verb_is_there_and_each_is_put_to_one() -> None:
    asked = {fault for verb in VERBS.values() for fault in verb.under}
    assert asked == set(FAULTS)
    assert all(draw.fault in VERBS[draw.verb].under for draw in TRIALS)


def made(draw_at: int, code: int) -> dict[str, object]:
    """A line of a run: the trial of that number, its console ended so."""
    draw = drawn(5, 9, PAIRS)[draw_at - 1]
    record = Record(
        5, draw.number, draw.verb, draw.fault, ("x",), Hits.NODE, "spark2", moment_s=2.25,
        ending=Ending(code, 7.0), reached=True, reached_after=True, run_state="",
    )  # fmt: skip
    return report.line_of(draw, record)


def test_what_was_tried_is_not_tried_again(tmp_path: Path) -> None:
    draws = drawn(5, 4, PAIRS)
    report.keep(tmp_path, made(1, 0))
    report.keep(tmp_path, report.unprepared(draws[1], "no engine"))
    with (tmp_path / report.FILE).open("a") as torn:
        torn.write('{"key": [5, 3')
    assert [draw.number for draw in report.missing(draws, report.kept(tmp_path))] == [2, 3, 4]
    report.keep(tmp_path, made(3, 0))
    assert [draw.number for draw in report.missing(draws, report.kept(tmp_path))] == [2, 4]


def test_the_table_has_every_trial_and_its_words(tmp_path: Path) -> None:
    draws = drawn(5, 3, PAIRS)
    for line in (made(1, 0), made(2, -15), report.unprepared(draws[2], "no engine")):
        report.keep(tmp_path, line)
    shown = report.table(report.kept(tmp_path)).splitlines()
    assert "right" in shown[1]
    assert "2.2 s" in shown[1]
    assert "ended with -15, which says nothing of what was done" in shown[2]
    assert shown[3].split()[-3:] == ["unprepared", "no", "engine"]
    assert shown[-1] == "1 right · 1 wrong · 1 unprepared"
