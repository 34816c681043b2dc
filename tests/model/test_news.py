"""How far something is, in words for one line."""

from __future__ import annotations

import pytest

from sparkconsole.model.work.news import Advance, advance_text

WORDS = {
    "of a known number": (Advance("a", "steps", 3, 7), "3 of 7"),
    "of an unknown number": (Advance("a", "steps", 3, elapsed_s=9), "3 done, 00:00:09"),
    "nothing yet of an unknown number": (Advance("a", "steps", 0, elapsed_s=9), "00:00:09"),
    "nothing yet of a known number": (Advance("a", "steps", 0, 7), "0 of 7"),
    "bytes of an unknown number": (Advance("a", "copy", 5e9, unit="B"), "5.0 GB"),
    "no byte yet": (Advance("a", "copy", 0, unit="B", elapsed_s=1), "00:00:01"),
    "a share": (Advance("a", "weights", 40, 100, "%"), "40 %"),
}


@pytest.mark.parametrize("case", WORDS)
def test_what_is_known_of_it(case: str) -> None:
    news, text = WORDS[case]
    assert advance_text(news) == text
