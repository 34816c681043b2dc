"""From words to a request, the same way for the command line, a script line and the `:` line."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from cyclopts import CycloptsError

from sparkconsole.config.globals import (
    HELP_WORDS,
    VERSION_WORDS,
    Origin,
    SplitWords,
    first_words,
    split_words,
)
from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.redact import learn_words
from sparkconsole.verbs.grammar.bounds import require_bounds
from sparkconsole.verbs.grammar.registry import GROUPS, Request, application, load
from sparkconsole.verbs.grammar.wrong_words import (
    refuse_no_value,
    refuse_torn_command,
    refuse_unseparated,
    see_help,
    verb_words,
    with_equals_hint,
    wrong_arguments,
)

if TYPE_CHECKING:
    from sparkconsole.model.work.answer import Answer

OPTIONAL_VALUES = {"--nccl-debug": ("INFO", ("VERSION", "WARN", "INFO", "TRACE"))}
"""Flags whose value may be left out: what a bare one means, and which words are its value."""


def understand(words: Sequence[str], origin: Origin = Origin.COMMAND_LINE) -> Request:
    """The request that `words` make. WrongUsage names the first wrong word, and the nearest that exists."""
    learn_words(words)
    split = split_words(words, origin)
    try:
        request = _understood(split)
        require_bounds(request)
        if request.verb.refuses is not None:
            request.verb.refuses(*request.args, **request.kwargs)
        if request.verb.words == ("web",) and origin is Origin.SCRIPT:
            raise WrongUsage("web opens a console of its own, not in a script", hint="sparkconsole web")
    except WrongUsage as wrong:
        raise with_equals_hint(wrong, words) from wrong
    return request


def _understood(split: SplitWords) -> Request:
    tokens = _with_values(list(split.rest))
    tokens = _asked_about(tokens) or tokens
    words = verb_words(tokens)
    if words == ("help",):
        _refuse_longer(tokens[1:], _topic(tokens))
    refuse_no_value(words, tokens[len(words) :])
    refuse_torn_command(words, tokens[len(words) :])
    try:
        _, bound, *_ = application(words[0]).parse_args(tokens, print_error=False, exit_on_error=False)
    except CycloptsError as error:
        raise wrong_arguments(words, error, tokens) from error
    request = Request(tuple(tokens), load(words[0])[words], bound.args, bound.kwargs, split.given)
    refuse_unseparated(request, tokens)
    return request


def _asked_about(tokens: Sequence[str]) -> list[str] | None:
    """`WORD --help` is `help WORD`, and `--version` is a word of its own; None: neither was asked."""
    ours = first_words(tokens)
    if any(word in VERSION_WORDS for word in ours):
        return ["version"]
    if any(word in HELP_WORDS for word in ours):
        return ["help", *_topic(ours)]
    return None


def _refuse_longer(words: Sequence[str], topic: Sequence[str]) -> None:
    """`help launch stop`: there is help about launch, and no such verb."""
    asked = _before_options(words)
    if len(topic) < len(asked) and any(asked):
        raise WrongUsage(f"there is no verb {' '.join(asked)}", hint=see_help(topic))


def _topic(ours: Sequence[str]) -> tuple[str, ...]:
    """The verb, or the group, that help was asked about; WrongUsage when there is none of that name."""
    words = [word for word in ours if not word.startswith("-")]
    if words[:1] == ["help"]:
        words = _before_options(ours)[1:]
    if not words or (words[0] in GROUPS and len(words) == 1):
        return tuple(words)
    return verb_words(words)


def _before_options(words: Sequence[str]) -> list[str]:
    return list(itertools.takewhile(lambda word: not word.startswith("-"), words))


async def answer_locally(request: Request) -> Answer:
    """What a local verb says; it looks at no session, and gets none."""
    return cast("Answer", await request.verb.function(None, *request.args, **request.kwargs))


def _with_values(tokens: list[str]) -> list[str]:
    """A bare optional-value flag gets its value, so that it never takes the next word for it."""
    done: list[str] = []
    while tokens:
        word = tokens.pop(0)
        if word == "--":
            return [*done, word, *tokens]
        if word in OPTIONAL_VALUES:
            bare, legal = OPTIONAL_VALUES[word]
            value = tokens.pop(0) if tokens and tokens[0].upper() in legal else bare
            word = f"{word}={value.upper()}"
        done.append(word)
    return done
