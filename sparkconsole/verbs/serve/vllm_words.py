"""vLLM's own words stand behind `--` and nowhere else: a stray word in front of it is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.alike import did_you_mean

if TYPE_CHECKING:
    from sparkconsole.verbs.grammar.registry import Request

EXTRA = "extra"
"""The parameter of a verb that hands words on to vLLM."""
_SURE = 0.75
"""So alike that an unknown option is taken for a slip of the pen, not for one of vLLM's."""


def hands_on(function: Callable[..., Any]) -> bool:
    """The verb gives what stands behind `--` to vLLM."""
    extra = inspect.signature(function).parameters.get(EXTRA)
    return extra is not None and extra.kind is inspect.Parameter.VAR_POSITIONAL


def refuse_unseparated(request: Request, tokens: Sequence[str]) -> None:
    """WrongUsage for a word in front of `--` that only vLLM could mean, and for a model behind it."""
    function, words = request.verb.function, request.verb.words
    if not hands_on(function):
        return
    behind = len(tokens) - tokens.index("--") - 1 if "--" in tokens else 0
    front = request.args[: len(request.args) - behind]
    own = _own(function)
    text = " ".join(words)
    if len(front) < len(own):
        raise WrongUsage(f"{text} needs {own[len(front)].upper()} in front of --", hint=_where(words, "…"))
    if stray := front[len(own) :]:
        raise WrongUsage(
            f"{text} takes no {' '.join(map(str, stray))}" if stray[0] else f"{text} takes no empty word",
            hint=_where(words, " ".join(map(str, stray))),
        )


def unknown_here(words: tuple[str, ...], option: str, known: Sequence[str]) -> WrongUsage:
    """No such option in front of `--`; behind it vLLM's own are."""
    name = option.partition("=")[0]
    near = did_you_mean(name, known, alike=_SURE)
    return WrongUsage(f"there is no option {name}{near}", hint=_where(words, option))


def _own(function: Callable[..., Any]) -> list[str]:
    """The verb's own words that have no option, by name."""
    alone = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        n for n, p in inspect.signature(function).parameters.items() if p.kind in alone and n != "session"
    ]


def _where(words: Sequence[str], what: str) -> str:
    line = " ".join(("sparkconsole", *words, *(["MODEL"] if tuple(words) == ("serve",) else [])))
    return f"vLLM's own words stand behind --: {line} -- {what}"
