"""When a server is started again: never at the first silence, ever later, and not for ever."""

from __future__ import annotations

from sparkconsole.model.serve.restart_budget import FIRST_REST_S, MOST_REST_S, RestartBudget


def looked(state: RestartBudget, *serves: bool, at: float = 0.0, loads: bool = False) -> RestartBudget:
    for one in serves:
        state = state.seen(at, serves=one, loads=loads)
    return state


def test_one_silence_is_none_and_an_answer_in_between_forgives() -> None:
    assert not looked(RestartBudget(), False, False).due
    assert not looked(RestartBudget(), False, False, True, False, False).due
    assert looked(RestartBudget(), True, False, False, False).due


def test_what_loads_has_its_time_and_no_more() -> None:
    started = RestartBudget().started(1000.0)
    assert not looked(started, False, False, False, at=2799.0, loads=True).due
    assert looked(started, False, False, False, at=2801.0, loads=True).due


def test_three_starts_in_six_hours_and_an_old_one_does_not_count() -> None:
    state = RestartBudget()
    for at in (0.0, 3600.0, 7200.0):
        assert not state.spent(at)
        state = state.started(at)
    assert state.spent(7300.0)
    assert not state.spent(6 * 3600.0 + 1.0), "the first is forgotten"
    assert RestartBudget(starts=0).spent(0.0)


def test_every_start_waits_longer_than_the_one_before() -> None:
    state, rests = RestartBudget(starts=9), []
    for _ in range(8):
        rests.append(state.rest_s(100.0))
        state = state.started(100.0)
    assert rests[:3] == [0.0, FIRST_REST_S, 2 * FIRST_REST_S]
    assert rests == sorted(rests)
    assert max(rests) == MOST_REST_S
