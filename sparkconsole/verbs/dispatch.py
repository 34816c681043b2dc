"""From words to a verb's result, the same way for the command line, a script line and the `:` line."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from cyclopts import CycloptsError

from sparkconsole.config.globals import print_help as print_global_help
from sparkconsole.errors import Refused, WrongUsage
from sparkconsole.model.tier import Tier
from sparkconsole.verbs.registry import GROUPS, MODULES, Result, Verb, application, load, overview

if TYPE_CHECKING:
    from sparkconsole.config.globals import Options
    from sparkconsole.model.answer import Row
    from sparkconsole.model.plan import Plan
    from sparkconsole.verbs.session import Session

OPTIONAL_VALUES = {"--nccl-debug": ("INFO", ("VERSION", "WARN", "INFO", "TRACE"))}
"""Flags whose value may be left out: what a bare one means, and which words are its value."""
HELP_WORDS = ("--help", "-h")


@dataclass(frozen=True, slots=True)
class Request:
    """Words that are in the grammar: a verb and its arguments. Nothing ran yet."""

    words: tuple[str, ...]
    verb: Verb
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def understand(words: Sequence[str]) -> Request:
    """The request that `words` make; WrongUsage with the nearest word for what is not in the grammar."""
    tokens = _with_values(_delimited(list(words)))
    try:
        app = application(_first(tokens))
        command, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)[:3]
    except CycloptsError as error:
        raise _usage(tokens, error) from error
    known = load(_first(tokens)).values()
    entry = next((v for v in known if v.function is inspect.unwrap(command)), None)
    if entry is None:
        raise WrongUsage(f"{' '.join(words)!r} needs one more word", hint=_see_help(words))
    return Request(tuple(words), entry, bound.args, bound.kwargs)


def wants_help(words: Sequence[str]) -> bool:
    """Help was asked for (before any `--`), or the words stop at a group."""
    before = words[: words.index("--")] if "--" in words else words
    asked = any(w in HELP_WORDS for w in before) and "exec" not in before[:1]
    group = len(words) == 1 and words[0] in GROUPS and (words[0],) not in load(words[0])
    return asked or group


def print_help(words: Sequence[str]) -> None:
    """Prints the help of the words before the help flag, on standard output."""
    before = [w for w in words if w not in HELP_WORDS]
    if before:
        application(_first(before)).help_print(before)
    else:
        overview().help_print([])
        print_global_help()


def _first(words: Sequence[str]) -> str:
    """The first word where there are verbs that begin with it; empty: all of them have to be looked at."""
    return words[0] if words and words[0] in MODULES else ""


async def begin(session: Session, request: Request) -> Result:
    """Calls the verb. A verb that changes machines only plans here; read-only sessions refuse it."""
    if request.verb.changes and session.options.read_only:
        raise Refused(f"{' '.join(request.verb.words)} changes the cluster, and this session is read-only")
    result = request.verb.function(session, *request.args, **request.kwargs)
    if inspect.isawaitable(result):
        answer: Result = await result
        return answer
    return cast("AsyncIterator[Row]", result)


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


def _delimited(tokens: list[str]) -> list[str]:
    """`exec CMD -x` means `exec -- CMD -x`, as it did in the scripts this replaces."""
    if tokens[:1] == ["exec"] and len(tokens) > 1 and not tokens[1].startswith("-"):
        return ["exec", "--", *tokens[1:]]
    return tokens


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


def _usage(tokens: Sequence[str], error: CycloptsError) -> WrongUsage:
    """cyclopts' complaint in our words: what was wrong and the nearest word that exists."""
    error.verbose = False
    cause = " ".join(str(error).split())
    if "Unknown command" in cause:
        return _no_such_verb(tokens)
    if "Unused Tokens" in cause:
        words = _verb_words(tokens)
        extra = cause.partition(": ")[2].strip("[].")
        return WrongUsage(f"{' '.join(words) or 'sparkconsole'} takes no {extra}", hint=_see_help(words))
    unknown = next((t.split("=")[0] for t in tokens if t.startswith("-") and t.split("=")[0] in cause), None)
    if "Unknown option" in cause and unknown:
        near = difflib.get_close_matches(unknown, _flags(tokens), n=1, cutoff=0.5)
        nearest = f"the nearest is {near[0]}" if near else "see --help"
        return WrongUsage(f"there is no option {unknown}", hint=nearest)
    return WrongUsage(cause.rstrip("."), hint=_see_help(_verb_words(tokens)))


def _no_such_verb(tokens: Sequence[str]) -> WrongUsage:
    """Answered with the nearest verb, in its group when there is one of that name."""
    said = [t for t in tokens if not t.startswith("-")]
    firsts = {v[0] for v in load()}
    group = said[0] if said[0] in firsts else ""
    known = {v[1] for v in load() if v[0] == group and len(v) > 1} if group else firsts
    wrong = said[1] if group and len(said) > 1 else said[0]
    prefix = f"{group} " if group else ""
    near = difflib.get_close_matches(wrong, known, n=1, cutoff=0.5)
    nearest = f"the nearest is {prefix}{near[0]}" if near else _see_help((group,) if group else ())
    return WrongUsage(f"there is no verb {prefix}{wrong}", hint=nearest)


def _see_help(words: Sequence[str]) -> str:
    return " ".join(("sparkconsole", *words, "--help"))


def _verb_words(tokens: Sequence[str]) -> tuple[str, ...]:
    verbs = load()
    for length in (2, 1):
        if tuple(tokens[:length]) in verbs:
            return tuple(tokens[:length])
    return ()


def _flags(tokens: Sequence[str]) -> list[str]:
    words = _verb_words(tokens)
    if not words:
        return []
    arguments = application()[words[0]] if len(words) == 1 else application()[words[0]][words[1]]
    return [name for a in arguments.assemble_argument_collection() for name in a.names]
