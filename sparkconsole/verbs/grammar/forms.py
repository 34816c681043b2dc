"""Forms drawn from the verbs themselves: a field per parameter, and from filled fields the words again.

A form says what `:` would say, so that what it starts can be typed, scripted and read in the journal.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cyclopts import App

from sparkconsole.errors import WrongUsage
from sparkconsole.verbs.grammar.registry import MODULES, load
from sparkconsole.verbs.grammar.wrong_words import command_of


class FieldKind(StrEnum):
    """How a field is filled in."""

    TEXT = "text"
    WHOLE = "whole number"
    NUMBER = "number"
    CHECK = "yes or no"
    CHOICE = "one of"
    LIST = "several"
    WORDS = "words"
    """Behind `--`, split as a shell would."""


@dataclass(frozen=True, slots=True)
class Field:
    """One parameter of a verb."""

    name: str
    kind: FieldKind
    flags: tuple[str, ...] = ()
    """As they are typed; empty for what stands without a flag."""
    negative: str = ""
    """The flag that switches off what is on by itself."""
    default: Any = None
    required: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""

    @property
    def positional(self) -> bool:
        """It is said without a flag."""
        return not self.flags


@cache
def fields(verb: str) -> tuple[Field, ...]:
    """Every field of that verb (`image build`), in the order of its signature."""
    key = tuple(verb.split())
    if not key or key[0] not in MODULES or key not in load(key[0]):
        raise WrongUsage(f"there is no verb {verb}")
    return tuple(_fields(command_of(key)))


def words(verb: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """The words that say these values; what equals its default is left unsaid.

    WrongUsage names the field that is missing or that holds what it cannot.
    """
    made: list[str] = []
    behind: list[str] = []
    for field in fields(verb):
        value = values.get(field.name)
        if value in (None, "", (), []) or (
            field.kind is not FieldKind.CHECK and str(value) == str(field.default)
        ):
            if field.required:
                raise WrongUsage(f"{field.name.replace('_', ' ')} is missing", hint=field.help)
        elif field.kind is FieldKind.WORDS:
            behind += _split(field, str(value))
        else:
            made += _words_of(field, value)
    return (*verb.split(), *made, *(["--", *behind] if behind else []))


def _fields(app: App) -> Iterator[Field]:
    for argument in app.assemble_argument_collection(parse_docstring=True):
        if "*" in argument.names:
            continue
        info = argument.field_info
        keyword_only = info.kind is inspect.Parameter.KEYWORD_ONLY
        variadic = info.kind is inspect.Parameter.VAR_POSITIONAL
        kind, choices = _kind(argument.hint, variadic=variadic, name=info.name)
        default = None if info.default is inspect.Parameter.empty else info.default
        yield Field(
            name=info.name,
            kind=kind,
            flags=tuple(n for n in argument.names if n not in argument.negatives) if keyword_only else (),
            negative=next(iter(argument.negatives), ""),
            default=default.value if isinstance(default, Enum) else default,
            required=bool(argument.required),
            choices=choices,
            help=str(argument.parameter.help or ""),
        )


def _kind(hint: Any, *, variadic: bool, name: str) -> tuple[FieldKind, tuple[str, ...]]:
    if variadic and name == "extra":
        return FieldKind.WORDS, ()
    if get_origin(hint) in (Union, UnionType):  # the type without `| None`
        hint = next((a for a in get_args(hint) if a is not NoneType), str)
    if get_origin(hint) is Literal:
        return FieldKind.CHOICE, tuple(str(a) for a in get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return FieldKind.CHOICE, tuple(str(member.value) for member in hint)
    if variadic or get_origin(hint) in (list, tuple):
        return FieldKind.LIST, ()
    kinds = {bool: FieldKind.CHECK, int: FieldKind.WHOLE, float: FieldKind.NUMBER}
    return kinds.get(hint, FieldKind.TEXT), ()


def _words_of(field: Field, value: Any) -> Sequence[str]:
    if field.kind is FieldKind.CHECK:
        flag = field.flags[0] if value else field.negative
        return () if bool(value) == bool(field.default) else (flag,)
    if field.kind is FieldKind.LIST:
        found = _split(field, value) if isinstance(value, str) else [str(v) for v in value]
        return [w for item in found for w in _flagged(field, item)]
    try:
        {FieldKind.WHOLE: int, FieldKind.NUMBER: float}.get(field.kind, str)(str(value))
    except ValueError as error:
        raise WrongUsage(f"{field.name.replace('_', ' ')} is no {field.kind}: {str(value)!r}") from error
    return _flagged(field, str(value))


def _flagged(field: Field, value: str) -> Sequence[str]:
    if field.positional:
        return (value,)
    # A value that begins with a dash would be taken for a flag of its own.
    return (f"{field.flags[0]}={value}",) if value.startswith("-") else (field.flags[0], value)


def _split(field: Field, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise WrongUsage(f"{field.name.replace('_', ' ')}: a quote is not closed") from error
