"""A read-only session starts nothing on a node: what it may say is a closed list, tried over all words."""

from __future__ import annotations

import pytest

from sparkconsole.errors import Refused
from sparkconsole.verbs.grammar.execute import begin
from sparkconsole.verbs.grammar.open_session import open_session
from sparkconsole.verbs.grammar.registry import Request, load
from sparkconsole.verbs.grammar.session import Options

READERS = {
    "bench compare", "bench list", "bench show", "check", "completion", "config path", "config schema",
    "config show", "doctor", "examples", "examples list", "examples show", "explain", "fabric history",
    "help",
    "image list", "logs", "model fit", "model list", "model verify", "node list", "node scan", "runs attach",
    "runs compare", "runs export", "runs list", "runs show", "serve status", "status", "version", "wait-for",
}  # fmt: skip
REFUSE_BY_THEMSELVES = {"exec", "node shell"}
NO_NODE = {"demo clear", "demo fault", "demo faults", "web"}
"""They change the pretend cluster, or open another console with the same option."""
WORDS = {" ".join(words) for words in load()}


@pytest.mark.parametrize("words", sorted(WORDS - READERS - NO_NODE - REFUSE_BY_THEMSELVES))
async def test_what_is_no_reader_is_refused_before_it_asks_anything(words: str) -> None:
    verb = load()[tuple(words.split())]
    async with open_session(Options(demo=2, read_only=True, yes=True)) as session:
        with pytest.raises(Refused, match=rf"{words} .*this session is read-only"):
            await begin(session, Request(tuple(words.split()), verb, (), {}))


def test_every_word_is_on_a_list() -> None:
    assert READERS | REFUSE_BY_THEMSELVES | NO_NODE <= WORDS
    assert not [words for words in READERS if load()[tuple(words.split())].why_not_read_only]
