"""Named blanks: one name, one value."""

from __future__ import annotations

import pytest

from sparkconsole.model.text.blank import blank
from tests.blanks import blanks, filled

ID, DATE = blank("id of build 1 of line 6"), blank("minute of the build of line 6")


def test_a_blank_is_a_word_or_a_part_of_one() -> None:
    assert filled(("rm", f"build-{ID}", DATE), ("rm", "build-1a2b", "20261129-1000"), {}) == {
        "id of build 1 of line 6": "1a2b",
        "minute of the build of line 6": "20261129-1000",
    }


@pytest.mark.parametrize(
    ("shown", "ran"),
    [
        ((f"a-{ID}", f"b-{ID}"), ("a-1", "b-2")),
        ((f"{ID}/{ID}",), ("1/2",)),
        ((f"a-{ID}",), ("a-",)),
        ((ID,), ("1", "2")),
        (("a.b",), ("axb",)),
        ((f"v{ID}.1",), ("v2x1",)),
    ],
    ids=["two values", "two values in a word", "nothing", "two words", "a dot", "a dot beside it"],
)
def test_what_is_no_filling_in(shown: tuple[str, ...], ran: tuple[str, ...]) -> None:
    assert filled(shown, ran, {}) is None


def test_a_value_once_known_is_the_value_everywhere() -> None:
    known = filled((f"a-{ID}",), ("a-1",), {})
    assert known is not None
    assert filled((f"{ID} {DATE}",), ("1 now",), known) == {**known, "minute of the build of line 6": "now"}
    assert filled((ID,), ("2",), known) is None


def test_lines_within_a_word_are_a_value_too() -> None:
    assert filled((f"x {ID} y",), ("x 1\n2 y",), {}) == {"id of build 1 of line 6": "1\n2"}


def test_names_are_listed_once() -> None:
    assert blanks((ID, f"a{DATE}b{ID}")) == ("id of build 1 of line 6", "minute of the build of line 6")
