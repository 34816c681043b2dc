"""A console is watched line by line, and ended where it does not end."""

from __future__ import annotations

import os
import signal

import pytest

from tests.chaos.console import Console
from tests.chaos.record import Ending, Line
from tests.testbed.waiting import until


def started(text: str) -> Console:
    """A shell in the place of the console."""
    return Console(("sh", "-c", text), dict(os.environ))


def test_both_streams_are_read_line_by_line() -> None:
    console = started("echo one; echo two >&2; printf three; exit 4")
    ending = console.ending(30)
    assert (ending.exit_code, ending.in_time, ending.text) == (4, True, "one\ntwo\nthree")
    times = [line.at for line in ending.lines]
    assert times == sorted(times)
    assert times[-1] <= ending.took_s


def test_what_does_not_end_is_ended_and_that_is_known() -> None:
    console = started("trap 'echo interrupted; exit 0' INT; echo begun; while :; do sleep 0.01; done")
    until(lambda: console.spoke, "its first line", 30)
    ending = console.ending(0)
    assert not ending.in_time
    assert ending.text == "begun", "what it says when it is ended is not its own"
    assert console.ended


def test_a_signal_that_is_ignored_here_is_not_ignored_there() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        console = started("kill -HUP $$; echo alive")
    finally:
        signal.signal(signal.SIGHUP, before)
    ending = console.ending(30)
    assert (ending.exit_code, ending.text) == (-1, "")


@pytest.mark.parametrize(
    ("lines", "took", "quiet"),
    [((), 7.0, 7.0), ((1.0, 2.0), 2.5, 1.0), ((6.0,), 7.0, 6.0), ((1.0,), 9.0, 8.0)],
)
def test_the_longest_silence_counts_from_the_start_to_the_end(
    lines: tuple[float, ...], took: float, quiet: float
) -> None:
    assert Ending(0, took, tuple(Line(at, "") for at in lines)).quiet_s == quiet
