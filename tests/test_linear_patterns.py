"""No regular expression of the package costs more than its text is long, whatever the text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

import sparkconsole
from sparkconsole.model.text.redact import shapes
from tests.pumps import LINEAR, Place, Pump, growth, patterns_of, pumps, spread

TABLES = {
    "sparkconsole.parse.diagnose.log_frame._HEADS": "match",
    "sparkconsole.parse.values._WHOLE": "fullmatch",
}
"""How the patterns of a table are asked where that is not a search."""


@cache
def places() -> list[Place]:
    """All of the package, and the shapes of secrets, which are compiled when the first text needs one."""
    secrets = [Place("redact.shapes", pattern, {"finditer"}) for _, pattern in shapes()]
    return [*patterns_of(sparkconsole, TABLES), *secrets]


def steep(asked: Iterable[Place], longest: int, most: int = 1_000) -> list[str]:
    """The patterns whose work grows faster than the text, each with the first pump that shows it."""
    return [bad for place in asked if (bad := _steep(place, longest, most))]


def _steep(place: Place, longest: int, most: int) -> str:
    for ask in place.asked():
        for pump in spread(pumps(place.pattern), most):
            if (grown := growth(ask, pump, longest)) > LINEAR:
                return f"{place.name} {place.pattern.pattern!r}: {pump} {grown:.1f}"
    return ""


def test_no_pattern_is_worse_than_linear() -> None:
    assert steep(places(), 2_560) == []


@pytest.mark.programs  # far longer than the fast tier may take
def test_nor_is_one_on_ten_or_a_hundred_thousand_characters() -> None:
    assert steep(places(), 10_240) == []
    assert steep(places(), 102_400, most=4) == []


def test_each_pattern_is_given_several_pumps() -> None:
    assert [p.name for p in places() if len(pumps(p.pattern)) < 5] == []
    assert len(places()) > 400


BAD = {
    "doubles": r"(a+)+$",
    "doubles in another way": r"(?:a|aa)+$",
    "two runs of the same": r"\d+\d+x",
    "a run from every place": r"x*y",
    "a start and never an end": r"BEGIN.*END",
    "three parts": r"a.*b.*c",
    "a list in brackets": r"seen \([^)]*\) twice",
    "words": r"(?:\w+\s?)+:",
    "behind a fixed head": r"KeyError: '(?P<kind>[a-z]+\d?\w*_moe)'",
    "what is looked ahead for": r"a(?=.*b)",
}
GOOD = {
    "a run from its own begin": r"(?<!x)x+y",
    "a possessive run": r"(?<!x)x++y",
    "a start and a near end": r"BEGIN.{0,200}END",
    "a list in short brackets": r"seen \([^)]{0,80}\) twice",
    "words": r"\b\w{1,40}:",
    "from the first character": r"^\w+ \d+ x",
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_pattern_is_found(name: str) -> None:
    assert len(steep([Place(name, re.compile(BAD[name]), {"search"})], 2_560)) == 1


@pytest.mark.parametrize("name", GOOD)
def test_a_good_one_is_not(name: str) -> None:
    for kind in (GOOD[name], GOOD[name].encode()):
        assert steep([Place(name, re.compile(kind), {"search", "finditer"})], 2_560) == []


def test_what_is_asked_from_the_first_character_only_may_hold_a_run() -> None:
    pattern = re.compile(r"x*y")
    assert steep([Place("", pattern, {"match", "fullmatch"})], 2_560) == []
    assert steep([Place("", pattern, {"finditer"})], 2_560) != []


PLANTED = """
import re
from dataclasses import dataclass

ONE = re.compile("one")
_TABLE = {"x": (re.compile("two"), [re.compile(b"three")])}
_PART = "fo+ur"

@dataclass(frozen=True, slots=True)
class Value:
    pattern: re.Pattern[str]

class Holder:
    pattern = re.compile("five")

_VALUES = (Value(re.compile("six")),)

def ask(text, word):
    ONE.fullmatch(text)
    re.sub("seven", "", text)
    re.match(_PART, text)
    return re.search(rf"{_PART}-{word}" + re.escape(word), text)
"""


def test_every_pattern_of_a_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted_patterns").mkdir()
    (tmp_path / "planted_patterns" / "__init__.py").touch()
    (tmp_path / "planted_patterns" / "inner.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(tmp_path)
    package = __import__("planted_patterns")
    monkeypatch.delitem(sys.modules, "planted_patterns")
    found = patterns_of(package, {"planted_patterns.inner._TABLE": "match"})
    monkeypatch.delitem(sys.modules, "planted_patterns.inner", raising=False)
    assert {p.pattern.pattern: p.ways for p in found} == {
        "one": {"fullmatch"},
        "two": {"match"},
        b"three": {"match"},
        "five": set(),
        "six": set(),
        "seven": {"finditer"},
        "fo+ur": {"match"},
        "fo+ur-xx": {"search"},
    }


def test_a_pump_leads_to_the_repetition_and_ends_in_what_nothing_takes() -> None:
    found = pumps(re.compile(r"at (?:line|row) \d+,"))
    assert Pump("at line ", "1") in found
    assert Pump("", "at line 1") in found
    assert Pump("at line ", "1").text(20) == "at line 111111111111\x00"
