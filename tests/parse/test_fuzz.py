"""No text, however damaged, makes a parser fail otherwise than it says. The long form is `make fuzz`."""

from __future__ import annotations

import random

import pytest

from sparkconsole.errors import SparkError
from tests.fuzz import APART, Fault, Parser, faults, own_samples, parsers, texts

EACH = 150
"""Texts a parser."""
SEED = 20_261_130


def test_no_text_makes_a_parser_fail() -> None:
    found = [fault for parser in parsers() for fault in faults(parser, EACH, SEED)]
    assert found == [], "\n".join(map(str, found))


def test_every_parser_of_the_package_is_tried() -> None:
    names = {parser.name.removeprefix("sparkconsole.parse.") for parser in parsers()}
    assert len(names) >= 95
    assert names >= {
        "machine.facts.parse_facts",  # text, and words that are no text of a tool
        "diagnose.explain.explain",  # lines
        "machine.deep_probe.parse_deep_probe",  # sections
        "diagnose.line.diagnose",  # a line without its head
        "diagnose.line.lookup",  # behind a cache
        "image.docker.container_from",  # JSON
        "image.copy_log.CopyLog",  # fed line by line
    }
    assert not names & {name.removeprefix("sparkconsole.parse.") for name in APART}


def test_each_parser_of_a_tool_has_texts_of_its_own() -> None:
    of_tools = [parser.name for parser in parsers() if ".parse_" in parser.name]
    assert len([name for name in of_tools if len(own_samples(name)) < 5]) <= 5
    assert len(of_tools) > 30


def test_the_same_seed_gives_the_same_texts() -> None:
    first, again, other = (texts("a.b", seed) for seed in (1, 1, 2))
    few = [next(first)[0] for _ in range(50)]
    assert few == [next(again)[0] for _ in range(50)]
    assert few != [next(other)[0] for _ in range(50)]


def refusing(text: str, chance: random.Random) -> None:
    raise SparkError("no")


def failing(text: str, chance: random.Random) -> None:
    raise KeyError(text)


def test_what_leaves_a_parser_is_told_once_with_a_text() -> None:
    assert faults(Parser("a.b", refusing, (SparkError,), objects=False), 20, SEED) == []
    (one,) = faults(Parser("a.b", failing, (SparkError,), objects=False), 20, SEED)
    assert isinstance(one, Fault)
    assert one.error.startswith("KeyError")
    assert one.where.startswith("test_fuzz.py:")
    with pytest.raises(KeyError):
        failing(one.text, random.Random(0))
