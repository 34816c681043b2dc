"""Which word is wrong, and the nearest that is right: words that make no verb, or no arguments of theirs."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, UnknownOptionError
from cyclopts.exceptions import RepeatArgumentError, UnusedCliTokensError

from sparkconsole.config.globals import GLOBALS, NAMES, first_words, unknown_option
from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.alike import did_you_mean, nearest
from sparkconsole.verbs.grammar.registry import GROUPS, MODULES, Request, application, load

if TYPE_CHECKING:
    from cyclopts import App, ArgumentCollection

_SURE = 0.75
"""So alike that a word behind `serve` is taken for a slip of the pen, not for a model or one of vLLM's."""
_SHELLS = ("&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1")
_TYPES: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}


def verb_words(tokens: Sequence[str]) -> tuple[str, ...]:
    """The words of the verb that `tokens` begin with; WrongUsage names the first that is wrong."""
    if not tokens:
        raise WrongUsage("there is no verb", hint="sparkconsole --help")
    first = tokens[0]
    if first not in MODULES:
        raise _no_first_word(tokens)
    if first not in GROUPS:
        return (first,)
    second = tokens[1] if len(tokens) > 1 else ""
    verbs = load(first)
    if (first, second) in verbs:
        return first, second
    if (first,) in verbs:
        _refuse_slip(first, second, verbs)
        return (first,)
    raise _no_second_word(first, second, verbs)


def _no_first_word(tokens: Sequence[str]) -> WrongUsage:
    first = tokens[0]
    if first == "--":
        return WrongUsage("no verb stands before --", hint="sparkconsole --help")
    if first.startswith("-"):
        return _option_in_front(tokens)
    if first == "sparkconsole" and len(tokens) > 1:
        hint = f"say {' '.join(tokens[1:])}"
        return WrongUsage("a line here begins with the verb, without the program's name", hint=hint)
    verbs = {words[-1]: words for words in load()} | {word: (word,) for word in MODULES}
    cause = f"there is no verb {_visible(first)}"
    if near := verbs.get(nearest(first, verbs)):
        return WrongUsage(f"{cause}; did you mean {' '.join(near)}?", hint=see_help(near))
    return WrongUsage(cause, hint="sparkconsole --help lists them")


def _visible(word: str) -> str:
    """As it is typed, or between quotes where a person could not see it."""
    return word if word.strip() and word.isprintable() else repr(word)


def _option_in_front(tokens: Sequence[str]) -> WrongUsage:
    """Its own options stand behind a verb, everybody's stand anywhere."""
    name = tokens[0].partition("=")[0]
    verb = next((w for w in tokens if w in MODULES), "")
    known = _flags(load(verb)) if verb else set()
    if name in known:
        return WrongUsage(f"{name} stands before its verb; it belongs behind {verb}", hint=see_help((verb,)))
    return unknown_option(tokens[0], sorted(known))


def _no_second_word(first: str, second: str, verbs: Iterable[tuple[str, ...]]) -> WrongUsage:
    seconds = [words[1] for words in verbs if len(words) > 1]
    listed = f"{first} has {', '.join(seconds)}"
    if not second or (second.startswith("-") and second.partition("=")[0] in _flags(verbs)):
        return WrongUsage(f"{first} needs one more word: {', '.join(seconds)}", hint=see_help((first,)))
    if second.startswith("-"):
        return unknown_option(second, sorted(_flags(verbs)))
    near = nearest(second, seconds)
    ask = f"; did you mean {first} {near}?" if near else ""
    return WrongUsage(f"there is no verb {first} {_visible(second)}{ask}", hint=listed)


def _flags(verbs: Iterable[tuple[str, ...]]) -> set[str]:
    return set().union(*(flags_of(words) for words in verbs))


def _refuse_slip(first: str, second: str, verbs: Iterable[tuple[str, ...]]) -> None:
    """`serve stpo` is no model."""
    near = nearest(second, [words[1] for words in verbs if len(words) > 1], alike=_SURE)
    if near and "/" not in second:
        hint = f"a model has its owner's name too, or its whole path: {first} OWNER/{second}"
        raise WrongUsage(f"there is no verb {first} {second}; did you mean {first} {near}?", hint=hint)


def flags_of(words: tuple[str, ...]) -> set[str]:
    """Every option of that verb, as it is typed."""
    if words not in load(words[0]):
        return set()
    return {name for a in _arguments_of(words) for name in a.names if name.startswith("-")}


@functools.cache
def _arguments_of(words: tuple[str, ...]) -> ArgumentCollection:
    """What the verb takes. Kept: putting it together costs ten milliseconds, for every line of a script."""
    return command_of(words).assemble_argument_collection()


def command_of(words: tuple[str, ...]) -> App:
    """The verb as its parser sees it."""
    app = application(words[0])[words[0]]
    return app if len(words) == 1 else app[words[1]]


def refuse_no_value(words: tuple[str, ...], tokens: Sequence[str]) -> None:
    """WrongUsage for an option whose value is missing where the parser would take that for an empty one."""
    named = (a for a in _arguments_of(words) if a.field_info.kind is inspect.Parameter.KEYWORD_ONLY)
    lists = {name for argument in named if argument.token_count()[1] for name in argument.names}
    for index, word in enumerate(tokens):
        name, equals, value = word.partition("=")
        if word == "--":
            return
        following = tokens[index + 1] if index + 1 < len(tokens) else "-"
        if (equals and not value and name.startswith("-")) or (word in lists and following.startswith("-")):
            raise _needs_value(name, words)


def refuse_torn_command(words: tuple[str, ...], tokens: Sequence[str]) -> None:
    """WrongUsage for `node exec spark-01 -- uptime`, which would be one command for all nodes."""
    if words != ("node", "exec") or "--" not in tokens:
        return
    front = iter(tokens[: tokens.index("--")])
    for word in front:
        if not word.startswith("-"):
            hint = f"a node: --node {word} -- …; a command: all of it behind --"
            raise WrongUsage(f"{word} stands before --, and node exec takes its command behind it", hint=hint)
        if "=" not in word:
            next(front, None)


def _needs_value(name: str, words: Sequence[str]) -> WrongUsage:
    return WrongUsage(f"{name} needs a value", hint=see_help(words))


def wrong_arguments(words: tuple[str, ...], error: CycloptsError, tokens: Sequence[str] = ()) -> WrongUsage:
    """The parser's complaint about a verb's arguments, in our words."""
    verb, token = " ".join(words), getattr(error, "token", None)
    match error:
        case UnknownOptionError() if token is not None:
            return _unknown(words, token.keyword or token.value)
        case MissingArgumentError():
            return _missing(words, error)
        case CoercionError() if token is not None:
            return WrongUsage(_not_of_its_type(error, token), hint=see_help(words))
        case UnusedCliTokensError():
            extra = " ".join(error.unused_tokens or ())
            signs = [sign for sign in _SHELLS if sign in (error.unused_tokens or ())]
            hint = f"{signs[0]} belongs to a shell: each line here is one command" if signs else ""
            return WrongUsage(f"{verb} takes no {extra or chr(39) * 2}", hint=hint or see_help(words))
        case RepeatArgumentError() if token is not None:
            return WrongUsage(_twice(token.keyword, tokens), hint=see_help(words))
    return WrongUsage(f"{verb}: {_plain_text(error)}", hint=see_help(words))


def _twice(flag: str, tokens: Sequence[str]) -> str:
    """`-tp` is `-t p` to a verb that has no `-tp`: then the word that was typed is named too."""
    typed = [t for t in tokens if t.startswith(flag) and t.partition("=")[0] != flag]
    return f"{flag} is said twice" + (f": {typed[-1]} is {flag} too" if typed else "")


def _unknown(words: tuple[str, ...], option: str) -> WrongUsage:
    if _hands_on(load(words[0])[words].function):
        name = option.partition("=")[0]
        near = did_you_mean(name, sorted({*flags_of(words), *NAMES}), alike=_SURE)
        return WrongUsage(f"there is no option {name}{near}", hint=_behind(words, option))
    wrong = unknown_option(option, sorted(flags_of(words)))
    wrong.hint = see_help(words)
    return wrong


def _missing(words: tuple[str, ...], error: MissingArgumentError) -> WrongUsage:
    keyword = error.keyword
    if keyword:
        return _needs_value(keyword, words)
    name = error.argument.field_info.name if error.argument is not None else "word"
    needed = name.strip("_").replace("_", "-").upper()
    return WrongUsage(f"{' '.join(words)} needs {needed}", hint=see_help(words))


def _not_of_its_type(error: CoercionError, token: Any) -> str:
    name = token.keyword or (error.argument.field_info.name.upper() if error.argument else "a word")
    if kind := _TYPES.get(error.target_type):
        return f"{name} is {kind}, not {token.value!r}"
    wanted: Any = error.target_type
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        choices = [str(member.value) for member in wanted]
        near = did_you_mean(token.value, choices)
        return f"{name} is one of {', '.join(choices)}, not {token.value!r}{near}"
    return _plain_text(error)


def _plain_text(error: CycloptsError) -> str:
    error.verbose = False
    return " ".join(str(error).split()).rstrip(".")


def with_equals_hint(wrong: WrongUsage, words: Sequence[str]) -> WrongUsage:
    """The same, with what to write where its wrong word was meant as the value of an option before it."""
    bare = {name: option for option in GLOBALS if option.bare is not None for name in option.names}
    for name, word in itertools.pairwise(first_words(words)):
        verb = wrong.cause.partition("; ")[0] == f"there is no verb {word}"
        if name in bare and (verb or wrong.cause.endswith(f" takes no {word}")):
            equals = f"the value of {name} stands behind an equals sign: {name}={word}"
            wrong.hint = f"{wrong.hint}; {equals}" if verb and not word.isdigit() else equals
    return wrong


def see_help(words: Sequence[str]) -> str:
    """Where the verb's words are explained."""
    return " ".join(("sparkconsole", *words, "--help"))


# --- vLLM's own words stand behind `--` and nowhere else


def _hands_on(function: Callable[..., Any]) -> bool:
    """The verb gives what stands behind `--` to vLLM."""
    extra = inspect.signature(function).parameters.get("extra")
    return extra is not None and extra.kind is inspect.Parameter.VAR_POSITIONAL


def refuse_unseparated(request: Request, tokens: Sequence[str]) -> None:
    """WrongUsage for a word in front of `--` that only vLLM could mean, and for a model behind it."""
    words, parameters = request.verb.words, inspect.signature(request.verb.function).parameters
    if not _hands_on(request.verb.function):
        return
    behind = len(tokens) - tokens.index("--") - 1 if "--" in tokens else 0
    front = request.args[: len(request.args) - behind]
    alone = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    own = [name for name, p in parameters.items() if p.kind in alone and name != "session"]
    text = " ".join(words)
    if len(front) < len(own):
        raise WrongUsage(f"{text} needs {own[len(front)].upper()} in front of --", hint=_behind(words, "…"))
    if len(front) > len(own):
        stray = " ".join(map(str, front[len(own) :]))
        what = stray if front[len(own)] else "empty word"
        raise WrongUsage(f"{text} takes no {what}", hint=_behind(words, stray))


def _behind(words: Sequence[str], what: str) -> str:
    line = " ".join(("sparkconsole", *words, *(["MODEL"] if tuple(words) == ("serve",) else [])))
    return f"vLLM's own words stand behind --: {line} -- {what}"
