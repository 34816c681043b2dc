"""Global options stand anywhere, except where words are somebody else's."""

from __future__ import annotations

import pytest

from sparkconsole.config.globals import read_globals
from sparkconsole.errors import WrongUsage


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


def test_set_wants_a_pair() -> None:
    options, _ = read_globals(["--set", "A", "--script", "x"])
    with pytest.raises(WrongUsage, match="KEY=VALUE"):
        options.values()
