"""Help, the reference and the man page say what the registry has, with examples that are in the grammar."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest

from sparkconsole.cli import run
from sparkconsole.config.globals import GLOBALS
from sparkconsole.verbs.grammar.dispatch import understand
from sparkconsole.verbs.grammar.forms import fields
from sparkconsole.verbs.grammar.registry import GROUPS, MODULES, TASKS, load
from sparkconsole.verbs.help import reference
from sparkconsole.verbs.help.help_examples import EXAMPLES, examples_of
from sparkconsole.verbs.help.page import topic_text
from tests.conftest import ROOT

VERBS = sorted(load())
LINES = [(words, line) for words in VERBS for line, _ in examples_of(words)]


def test_every_verb_has_an_example_and_every_example_a_verb() -> None:
    assert sorted({words for words, _ in LINES}) == VERBS
    assert sorted(line for _, line in LINES) == sorted(line for line, _ in EXAMPLES)
    assert all(what for _, what in EXAMPLES)


@pytest.mark.parametrize(("words", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_is_in_the_grammar_and_about_its_verb(words: tuple[str, ...], line: str) -> None:
    typed = line.split(" < ", maxsplit=1)[0]
    assert understand(shlex.split(typed)).verb.words == words


@pytest.mark.parametrize("words", [words for words in VERBS if words != ("help",)], ids=" ".join)
def test_help_before_and_behind_says_the_same(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for line in (["help", *words], [*words, "--help"], ["-h", *words], ["--json", *words, "-h"]):
        assert run(line) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1] == told[2]
    assert told[0].startswith("Usage: sparkconsole")
    assert "Examples:" in told[0]
    assert told[3].startswith('{"words"')


@pytest.mark.parametrize(
    "words", [(), *((first,) for first in GROUPS), *VERBS], ids=lambda w: " ".join(w) or "all"
)
@pytest.mark.parametrize("width", [60, 80])
def test_no_sentence_is_wider_than_the_terminal(words: tuple[str, ...], width: int) -> None:
    """What is typed (usage, an option's name, an example) stays whole instead."""
    for line in topic_text(words, width).splitlines():
        typed = line.startswith(("  sparkconsole ", "Usage:", "  -")) or "`" in line
        assert len(line) <= width or typed, line


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_every_word_of_a_verb_is_explained_by_a_sentence_of_its_own(words: tuple[str, ...]) -> None:
    for field in fields(" ".join(words)):
        text = " ".join(field.help.split())
        assert text, field.name
        first = text.split()[0]
        assert first[0].isupper() or first[0] in "`-0123456789" or first[-1] in ",:" or "vLLM" in first, text


def test_the_overview_groups_by_task_and_says_what_no_word_does() -> None:
    told = topic_text((), 80)
    assert sorted(first for firsts in TASKS.values() for first in firsts) == sorted(MODULES)
    assert [task for task in TASKS if f"\n{task}:\n" not in told] == []
    assert "sparkconsole alone opens the console" in told
    assert [option.names[0] for option in GLOBALS if option.names[0] not in told] == []


@pytest.mark.parametrize(
    ("name", "made"), [("reference.md", reference.markdown), ("sparkconsole.1", reference.man)]
)
def test_what_is_written_down_is_current(name: str, made: object) -> None:
    assert (ROOT / "docs" / name).read_text() == made(), "make reference"  # type: ignore[operator]


def test_the_reference_names_every_verb_and_option() -> None:
    for text in (reference.markdown(), reference.man().replace("\\-", "-").replace("\\&", "")):
        assert [" ".join(words) for words in VERBS if " ".join(words) not in text] == []
        flags = {flag for words in VERBS for field in fields(" ".join(words)) for flag in field.flags}
        assert [flag for flag in flags if flag not in text] == []


@pytest.mark.skipif(not shutil.which("man"), reason="no man here")
def test_the_man_page_renders_without_warnings() -> None:
    page = ROOT / "docs/sparkconsole.1"
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MAN_KEEP_FORMATTING": ""}
    done = subprocess.run(
        ("man", "--warnings", "-l", str(page)), env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert "sparkconsole image copy --to all" in done.stdout
