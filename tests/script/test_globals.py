"""Global options stand anywhere, except where words are somebody else's."""

from __future__ import annotations

import re

import pytest

from sparkconsole.errors import WrongUsage
from sparkconsole.model.work.tier import WORDS
from tests.conftest import ROOT
from tests.global_options import read_globals


@pytest.mark.parametrize(
    ("line", "rest"),
    [
        ("--json status", ["status"]),
        ("image build -c a b --json -t x", ["image", "build", "-c", "a", "b", "-t", "x"]),
        ("--json exec ls --json", ["exec", "--", "ls", "--json"]),
        ("--json exec -- ls --yes", ["exec", "--", "ls", "--yes"]),
        ("--json serve m -- --nodes 3", ["serve", "m", "--", "--nodes", "3"]),
    ],
)
def test_they_are_taken_out_and_the_verb_stays(line: str, rest: list[str]) -> None:
    options, words = read_globals(line.split())
    assert options.json
    assert words == rest


def test_a_bare_flag_never_eats_the_next_word() -> None:
    options, words = read_globals(["--yes", "--demo", "stop"])
    assert (options.yes, options.demo, words) == ("", 2, ["stop"])
    options, words = read_globals(["--yes=stop", "--demo=8", "stop"])
    assert (options.yes, options.demo, words) == ("stop", 8, ["stop"])


def test_nodes_are_split_at_commas() -> None:
    assert read_globals(["-n", "a, b,,c", "check"])[0].nodes == ("a", "b", "c")


@pytest.mark.parametrize("line", ["--cluster", "--demo=0 status", "--set"])
def test_nonsense_is_refused(line: str) -> None:
    with pytest.raises(WrongUsage):
        read_globals(line.split())


def test_a_script_may_come_from_standard_input() -> None:
    assert read_globals(["--yes", "--script", "-"])[0].script == "-"


@pytest.mark.parametrize("word", ["sesame", "BAD NAME=sesame", "=sesame"])
def test_set_wants_a_pair_and_repeats_no_value(word: str) -> None:
    options, _ = read_globals(["--set", word, "--script", "x"])
    with pytest.raises(WrongUsage, match="KEY=VALUE") as caught:
        options.values()
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("word", ["no", "false", "0", "never", "wrong", "Prune", "stop "])
def test_what_agrees_to_nothing_is_refused(word: str) -> None:
    """`--yes=no` must not be a yes."""
    with pytest.raises(WrongUsage, match="no plan asks for the word") as caught:
        read_globals(["stop", f"--yes={word}"])
    assert "--yes=reboot" in caught.value.hint


def test_every_word_that_a_plan_can_ask_for_may_be_said() -> None:
    sources = "\n".join(p.read_text() for p in sorted((ROOT / "sparkconsole" / "verbs").rglob("*.py")))
    asked = {
        *re.findall(r"Tier\.COSTLY, word=\"(\w+)\"", sources),
        *re.findall(r"Tier\.COSTLY, \"(\w+)\"", sources),
        *re.findall(r"^WORD = \"(\w+)\"", sources, re.M),
    }
    assert asked == set(WORDS)


@pytest.mark.parametrize("word", ["no", "False", "off"])
def test_who_denies_the_demo_gets_no_pretend_cluster_of_that_name(word: str) -> None:
    with pytest.raises(WrongUsage, match="would be a pretend cluster"):
        read_globals([f"--demo={word}", "status"])
