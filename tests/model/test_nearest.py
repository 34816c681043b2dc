"""One wording for a word that is not known, wherever it was said."""

from __future__ import annotations

import re
from pathlib import Path

from sparkconsole.model.text.alike import did_you_mean, nearest, suggestion

SOURCES = Path(__file__).parents[2] / "sparkconsole"


def test_the_nearest_word_is_offered_and_a_strange_one_is_not() -> None:
    assert nearest("lanch", ("launch", "stop")) == "launch"
    assert did_you_mean("lanch", ("launch",)) == "; did you mean launch?"
    assert did_you_mean("xyzzy", ("launch",)) == ""
    assert suggestion("lanch", ("launch",), "there are launch") == "did you mean launch?"
    assert suggestion("xyzzy", ("launch",), "there is launch") == "there is launch"


def test_nobody_looks_for_the_nearest_word_in_another_way_or_says_it_in_other_words() -> None:
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name != "alike.py":
            assert "get_close_matches" not in text, path
        assert not re.search(r'f?"[^"\n]*the nearest is', text), path
