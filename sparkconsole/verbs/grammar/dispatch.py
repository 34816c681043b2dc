"""From words to a verb's result, the same way for the command line, a script line and the `:` line."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, cast

from cyclopts import CycloptsError

from sparkconsole.config.globals import HELP_WORDS, VERSION_WORDS, Said, SpokenAt, first_words, read_said
from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.model.work.tier import Tier
from sparkconsole.verbs.grammar.bounds import require_bounds
from sparkconsole.verbs.grammar.node_words import require_nodes
from sparkconsole.verbs.grammar.registry import GROUPS, Result, application, load
from sparkconsole.verbs.grammar.request import Request
from sparkconsole.verbs.grammar.wrong_words import (
    refuse_no_value,
    refuse_torn_command,
    see_help,
    told_of_equals,
    verb_words,
    wrong_arguments,
)
from sparkconsole.verbs.serve.vllm_words import refuse_unseparated

if TYPE_CHECKING:
    from sparkconsole.config.globals import Options
    from sparkconsole.model.work.answer import Answer, Row
    from sparkconsole.model.work.plan import Plan
    from sparkconsole.verbs.grammar.session import Session

OPTIONAL_VALUES = {"--nccl-debug": ("INFO", ("VERSION", "WARN", "INFO", "TRACE"))}
"""Flags whose value may be left out: what a bare one means, and which words are its value."""


def understand(words: Sequence[str], place: SpokenAt = SpokenAt.COMMAND_LINE) -> Request:
    """The request that `words` make. WrongUsage names the first wrong word, and the nearest that exists."""
    spoken = read_said(words, place)
    try:
        request = _understood(spoken)
        require_bounds(request)
        if request.verb.refuses is not None:
            request.verb.refuses(*request.args, **request.kwargs)
        if request.verb.words == ("web",) and place is SpokenAt.SCRIPT:
            raise WrongUsage("web opens a console of its own, not in a script", hint="sparkconsole web")
    except WrongUsage as wrong:
        raise told_of_equals(wrong, words) from wrong
    return request


def _understood(said: Said) -> Request:
    tokens = _with_values(list(said.rest))
    if (about := _asked_about(tokens)) is not None:
        tokens = about
    spoken = verb_words(tokens)
    if spoken == ("help",):
        _refuse_longer(tokens[1:], _topic(tokens))
    entry = load(spoken[0])[spoken]
    refuse_no_value(spoken, tokens[len(spoken) :])
    refuse_torn_command(spoken, tokens[len(spoken) :])
    try:
        command, bound, _ = application(spoken[0]).parse_args(tokens, print_error=False, exit_on_error=False)[
            :3
        ]
    except CycloptsError as error:
        raise wrong_arguments(spoken, error, tokens) from error
    entry = next((v for v in load(spoken[0]).values() if v.function is inspect.unwrap(command)), entry)
    request = Request(tuple(tokens), entry, bound.args, bound.kwargs, said.given)
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
    asked = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    if len(topic) < len(asked) and any(asked):
        raise WrongUsage(f"there is no verb {' '.join(asked)}", hint=see_help(topic))


def _topic(ours: Sequence[str]) -> tuple[str, ...]:
    """The verb, or the group, that help was asked about; WrongUsage when there is none of that name."""
    words = [word for word in ours if not word.startswith("-")]
    if words[:1] == ["help"]:
        words = list(itertools.takewhile(lambda word: not word.startswith("-"), ours))[1:]
    if not words or (words[0] in GROUPS and len(words) == 1):
        return tuple(words)
    return verb_words(words)


async def begin(session: Session, request: Request) -> Result:
    """Calls the verb. A verb that changes machines only plans here; read-only sessions refuse it.

    A word that names no node is refused before the verb sees it.
    """
    if request.verb.changes and session.options.read_only:
        raise Refused(f"{' '.join(request.verb.words)} changes the cluster, and this session is read-only")
    require_nodes(request, session.cluster, pretend=session.pretend is not None)
    result = request.verb.function(session, *request.args, **request.kwargs)
    if inspect.isawaitable(result):
        return await _with_consequences(session, request, await result)
    return cast("AsyncIterator[Row]", result)


async def _with_consequences(session: Session, request: Request, result: Result) -> Result:
    from sparkconsole.verbs.grammar.session import PlannedAction

    if not isinstance(result, PlannedAction):
        return result
    from sparkconsole.verbs.grammar.consequences import foretold

    return await foretold(session, request.verb.words, result)


async def answer_locally(request: Request) -> Answer:
    """What a local verb says; it looks at no session, and gets none."""
    return cast("Answer", await request.verb.function(None, *request.args, **request.kwargs))


def agreed(options: Options, plan: Plan) -> bool:
    """The person said beforehand what this plan asks for: nothing, `--yes`, or `--yes=WORD`."""
    if plan.tier is Tier.LOOK:
        return True
    if plan.tier is Tier.RECOVERABLE:
        return options.yes is not None
    return bool(plan.word) and options.yes == plan.word


def how_to_agree(plan: Plan) -> str:
    """What has to be said to let the plan run."""
    return "--yes" if plan.tier is Tier.RECOVERABLE else f"--yes={plan.word}"


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
