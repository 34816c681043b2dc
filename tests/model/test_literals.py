"""Words that a pattern needs: nothing that it fits is ever without all of them."""

from __future__ import annotations

import re

import pytest

from sparkconsole.model.text.literals import Sieve, needed

NEEDS = {
    r"ring has no pole": {"ring has no pole"},
    r"ring|poles?": {"ring", "pole"},
    r"[Rr]ing of (?:four|five)": {"ing of "},
    r"x{3,5}|ring\d+": set(),
    r"(?P<name>\w+) ring (?!has )pole": {" ring pole"},
    r"\bring\b \(pole\) \d": {"ring (pole) "},
    r"ringe?d": {"ring"},
    r"rings+ of": {"rings"},
    r"(?:ring)?pole": {"pole"},
    r"(?:ring){0,3}pole": {"pole"},
    r"^ring\.py:\d+$": {"ring.py:"},
    r"[^]ring]pole": {"pole"},
    r"(?<!the )ring": {"ring"},
}


@pytest.mark.parametrize(("pattern", "words"), NEEDS.items(), ids=NEEDS)
def test_the_longest_words_that_must_stand_there(pattern: str, words: set[str]) -> None:
    assert set(needed(re.compile(pattern))) == words


@pytest.mark.parametrize("pattern", [r"\d+", r"ring|\d", r"(?:ring)?", r"ri|pole", r"(?i)ring"])
def test_a_pattern_that_needs_no_word_demands_none(pattern: str) -> None:
    assert needed(re.compile(pattern)) == ()


def test_case_that_does_not_count_demands_nothing() -> None:
    assert needed(re.compile("ring", re.IGNORECASE)) == ()


def test_a_sieve_leaves_what_may_fit_in_its_order() -> None:
    sieve = Sieve([re.compile(p) for p in (r"pole \d", r"\d\d", r"ring|circle", r"ring of \d")])
    assert sieve.may_fit("a ring of 3") == [1, 2, 3]
    assert sieve.may_fit("a circle") == [1, 2]
    assert sieve.may_fit("") == [1]
