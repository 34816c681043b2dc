"""Every command that our own texts name can be typed: its verb is there, and so is each of its options."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from sparkconsole.config.globals import NAMES
from sparkconsole.errors import WrongUsage
from sparkconsole.verbs.grammar.registry import MODULES
from sparkconsole.verbs.grammar.wrong_words import flags_of, verb_words
from tests.conftest import ROOT

COMMAND = re.compile(r"sparkconsole ((?:--?[a-z]\S*(?: [A-Z]+)? )*)([a-z][a-z-]*(?: [^,;:\n()→|]*)?)")
ENDS = re.compile(r" (?:or|and|then|to) | -- | sparkconsole ")
"""What a sentence goes on with behind a command; words behind `--` are somebody else's."""


def texts() -> Iterator[tuple[str, str]]:
    """Every text of the sources with where it stands; what is filled in is `{}`."""
    for path in sorted((ROOT / "sparkconsole").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.JoinedStr):
                pieces = (p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
                yield where, "".join(map(str, pieces))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield where, node.value


def wrong_in(text: str) -> list[str]:
    """Of the commands in a text: the words that do not exist."""
    wrong = []
    pieces = re.split(r"(?=sparkconsole )", text)
    for front, behind in (found for piece in pieces for found in COMMAND.findall(piece)):
        words = ENDS.split(behind)[0].split()
        if words[0] not in MODULES:
            continue  # prose: "sparkconsole needs 60x16"
        said = [w.partition("=")[0] for w in (*front.split(), *words) if re.match(r"--?[A-Za-z]", w)]
        try:
            verb = verb_words(words)
        except WrongUsage as error:
            wrong.append(f"{' '.join(words)}: {error.cause}")
            continue
        wrong += [f"{' '.join(verb)} {name}" for name in said if name not in {*flags_of(verb), *NAMES}]
    return wrong


def test_what_our_texts_say_to_type_can_be_typed() -> None:
    found = {where: wrong for where, text in texts() if (wrong := wrong_in(text))}
    assert found == {}


def test_a_hint_that_cannot_be_typed_is_found() -> None:
    assert wrong_in("→ sparkconsole image copy -t {}") == ["image copy -t"]
    assert wrong_in("start it: sparkconsole --demo serve {} --prot 1, or wait") == ["serve --prot"]
    assert wrong_in("sparkconsole image cpoy {} --to all")
    assert wrong_in("sparkconsole serve {} --port 1 or sparkconsole image copy {} -x") == ["image copy -x"]
    assert not wrong_in("sparkconsole node exec --node {} -- docker pull -q {}")
