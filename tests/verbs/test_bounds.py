"""Numbers that an option does not take are refused in our words, before anything is asked of a cluster.

No test here shows that a number that is taken is a wise one.
"""

from __future__ import annotations

import pytest

from sparkconsole.cli import run
from sparkconsole.errors import WrongUsage
from sparkconsole.verbs.grammar.bounds import bound_of
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.forms import Field, FieldKind, fields
from sparkconsole.verbs.grammar.registry import load

NUMBERS = [
    (words, field)
    for words in sorted(load())
    for field in fields(" ".join(words))
    if field.kind in (FieldKind.WHOLE, FieldKind.NUMBER) and not field.positional
]
NAMES = [f"{' '.join(words)} {field.flags[0]}" for words, field in NUMBERS]
FOREIGN = ("Input should", "String should", "Value error", "validation error", "inf")


def said(words: tuple[str, ...], *more: str) -> WrongUsage:
    """The refusal of that verb with these words behind it, and with what else it needs."""
    needed = ["x" for field in fields(" ".join(words)) if field.positional and field.required]
    with pytest.raises(WrongUsage) as caught:
        understand([*words, *needed, *more])
    return caught.value


@pytest.mark.parametrize(("words", "field"), NUMBERS, ids=NAMES)
def test_every_option_with_a_number_says_which_it_takes(words: tuple[str, ...], field: Field) -> None:
    bound = bound_of(words, field.name)
    assert bound is not None, "a new number needs its bounds"
    wrong = [bound.least - 1, *([bound.most + 1] if bound.most < 1e12 else [])]
    for flag in field.flags:
        for number in wrong:
            cause = said(words, f"{flag}={number:.0f}").cause
            assert cause.startswith("--"), cause
            assert f" takes {bound.words}, not {number:.0f}" in cause
            assert not [word for word in FOREIGN if word in cause]


@pytest.mark.parametrize("number", ["2147483648", "9" * 30])
@pytest.mark.parametrize(
    "line", ["logs --tail", "runs list --limit", "bench run --num-prompts", "wait-for ready --timeout"]
)
def test_no_number_is_too_large_for_what_counts_with_it(line: str, number: str) -> None:
    with pytest.raises(WrongUsage, match="takes at most 2147483647, not"):
        understand([*line.split(), number])


def test_numbers_are_there_at_all() -> None:
    assert len(NUMBERS) > 40
    assert "serve --port" in NAMES
    assert "launch --ray-port" in NAMES, "also where several verbs share their options"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("serve m --port 70000", "--port takes 1 to 65535, not 70000"),
        ("bench run --num-prompts 0", "--num-prompts takes 1 or more, not 0"),
        ("logs --tail -1", "--tail takes 0 or more, not -1"),
        ("runs list --limit -1", "--limit takes 0 or more, not -1"),
        ("model copy m --streams 17", "--streams takes 1 to 16, not 17"),
        ("serve m --gpu-memory-utilization 85", "takes more than 0 and at most 1, not 85"),
        ("serve m --gpu-memory-utilization nan", "takes more than 0 and at most 1, not nan"),
        ("status --watch --every 0", "--every takes more than 0, not 0"),
    ],
)
def test_it_is_wrong_usage_whatever_runs(line: str, cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The address is nobody's: who asked it would wait, and end with another code."""
    assert run(["--nodes", "192.0.2.1", *line.split()]) == 2
    assert cause in capsys.readouterr().err


@pytest.mark.parametrize("line", ["wait-for ray --timeout 0", "logs --tail 0", "runs list --limit 0"])
def test_none_is_a_number_too(line: str) -> None:
    assert understand(line.split())


def test_as_many_as_can_be_is_a_rate() -> None:
    assert understand(["bench", "run", "--request-rate", "inf"])


@pytest.mark.parametrize("verb", ["serve", "model fit", "model copy", "node shell"])
def test_an_empty_word_is_none(verb: str) -> None:
    with pytest.raises(WrongUsage, match="must not be empty") as caught:
        understand([*verb.split(), ""])
    assert "String should" not in caught.value.cause
