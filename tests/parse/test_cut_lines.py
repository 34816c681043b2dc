"""No pattern sees more of a line than a bound, and of a longer line its begin and its end are read."""

from __future__ import annotations

import pytest

from sparkconsole.model.logs.line import LONGEST as SHOWN
from sparkconsole.model.logs.line import log_line
from sparkconsole.parse.diagnose.explain import cause_of, examine, explain_line
from sparkconsole.parse.diagnose.log_frame import LONGEST, framed
from sparkconsole.parse.known import During
from sparkconsole.remote.lines import LONGEST_LINE, LineReader

CAUSE = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
FILLING = "lorem ipsum "


def found(line: str) -> list[tuple[str, int]]:
    return [(one.id, one.count) for one in examine([line]).found]


@pytest.mark.parametrize("length", [0, 5_000, 64_000, 500_000])
def test_a_cause_at_the_end_of_a_long_line_is_found_once(length: int) -> None:
    known = found(CAUSE)
    assert len(known) == 1
    assert found(f"{FILLING * (length // len(FILLING))}{CAUSE}") == known


@pytest.mark.parametrize("before", range(0, 65_000, 15_900))
def test_a_cause_anywhere_in_what_is_read_of_a_file_at_once_is_found(before: int) -> None:
    line = f"{FILLING * (before // len(FILLING))}{CAUSE} {FILLING * 5_500}"[:65_536]
    assert [name for name, _ in found(line)] == [name for name, _ in found(CAUSE)]


def test_a_message_is_cut_before_it_is_looked_at() -> None:
    assert len(framed("x" * 100_000).text) == LONGEST
    assert explain_line("x" * LONGEST + CAUSE) is None
    assert explain_line(CAUSE) is not None
    assert cause_of("x" * LONGEST + CAUSE, During.LAUNCH) is None


def test_a_line_that_is_shown_says_how_much_more_there_was() -> None:
    text = log_line("x" * 100_000).text
    assert text == f"{'x' * SHOWN} … ({100_000 - SHOWN} more characters)"


def test_what_a_machine_sends_without_an_end_of_line_is_cut() -> None:
    reader = LineReader()
    lines = [line for _ in range(3) for line in reader.feed(b"x" * LONGEST_LINE)]
    assert max(map(len, lines)) <= 2 * LONGEST_LINE
    assert sum(map(len, lines)) + sum(map(len, reader.feed(b"", final=True))) == 3 * LONGEST_LINE
