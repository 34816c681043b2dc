"""What a script may say, and what it may not."""

from __future__ import annotations

import pytest

from sparkconsole.errors import WrongUsage
from sparkconsole.script.lines import ScriptLine, read_script


def words(text: str, **values: str) -> list[tuple[str, ...]]:
    return [line.words for line in read_script(text, values)]


def test_lines_comments_and_blanks() -> None:
    text = "# first\n\ncheck   # trailing\n  image list\n"
    assert read_script(text, {}) == (ScriptLine(3, ("check",)), ScriptLine(4, ("image", "list")))


def test_a_backslash_and_an_open_quote_continue_a_line() -> None:
    assert words("serve m \\\n  --port 1\nexec -- sh -c 'a\nb'") == [
        ("serve", "m", "--port", "1"),
        ("exec", "--", "sh", "-c", "a\nb"),
    ]


def test_a_value_with_spaces_and_quotes_stays_one_word() -> None:
    assert words("exec -- echo ${X}", X="a 'b' $c") == [("exec", "--", "echo", "a 'b' $c")]


def test_a_doubled_dollar_is_left_alone() -> None:
    assert words("exec -- echo $${X} $Y") == [("exec", "--", "echo", "${X}", "$Y")]


def test_an_unknown_name_is_refused_with_its_line() -> None:
    with pytest.raises(WrongUsage, match=r"script:2: \$\{MODEL\} has no value") as caught:
        words("check\nserve ${MODEL}")
    assert "--set MODEL=" in caught.value.hint


def test_an_open_quote_is_refused_with_the_line_it_opens_on() -> None:
    with pytest.raises(WrongUsage, match="script:2"):
        words("check\nexec -- echo 'a\nstop")


@pytest.mark.parametrize("end", ["stop \\", "exec -- ls \\\n  -l \\"])
def test_a_script_that_ends_within_a_line_is_not_whole(end: str) -> None:
    with pytest.raises(WrongUsage, match=r"^script:2: the last line ends in \\, and nothing follows"):
        words(f"check\n{end}")


def test_a_quote_left_open_is_looked_for_once_however_long_the_script() -> None:
    """Fifty thousand lines behind it: read again from the quote on for each, they take half an hour."""
    with pytest.raises(WrongUsage, match="script:1"):
        words('exec -- echo "a\n' + "stop\n" * 50_000)


def test_the_other_quote_within_a_quote_ends_nothing() -> None:
    assert words("exec -- echo \"it's\nthe 'same' word\" b\nstop") == [
        ("exec", "--", "echo", "it's\nthe 'same' word", "b"),
        ("stop",),
    ]
