"""Reads a TOML file into a model, or says file, line, key, and what is allowed there."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sparkconsole.config.bounded_read import CONFIG_BYTES, WRITTEN_BYTES, bounded_bytes
from sparkconsole.config.paths import script_path
from sparkconsole.config.toml_lines import Place, dotted, line_of, places
from sparkconsole.errors import WrongConfig, WrongUsage
from sparkconsole.model.text.alike import suggestion

M = TypeVar("M", bound=BaseModel)
_WORDS = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("tuple_type", "list_type"), 'must be a list, like ["one", "two"]'),
    **dict.fromkeys(("dict_type", "model_type"), "must be a table"),
    "missing": "is missing",
    "string_type": 'must be text in quotes, like "text"',
    "string_too_short": "must not be empty",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "literal_error": "must be {expected}",
    "value_error": "is wrong: {error}",
}


MOST_DOTS = 64
"""Outside of strings in a line of a configuration: no key of ours has more than four parts, and each costs
the square of its parts."""
_QUOTED = re.compile(r""" "[^"]*" | '[^']*' """, re.X)


def read_text(path: Path) -> str:
    """The file's text; empty when there is no such file; WrongConfig when it cannot be read."""
    try:
        return bounded_bytes(path, CONFIG_BYTES).decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as error:
        if path.is_symlink():
            hint = "make the file that it points at, or remove the link"
            raise WrongConfig(f"{path} is a link to a file that is not there", hint=hint) from error
        return ""
    except (OSError, ValueError) as error:
        utf8 = isinstance(error, UnicodeDecodeError)
        hint = "save the file as UTF-8" if utf8 else "it must be a text file that you may read"
        raise WrongConfig(f"{path}{_why_unread(error)}", hint=hint) from error


def script_text(name: str) -> str:
    """The text of a script file, of standard input for `-`; WrongUsage when it cannot be read as text."""
    try:
        data = sys.stdin.buffer.read(WRITTEN_BYTES + 1) if name == "-" else bounded_bytes(script_path(name))
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        hint = "a script is a text file of verb lines; sparkconsole examples names those that come with it"
        hint = "save it as UTF-8" if isinstance(error, UnicodeDecodeError) else hint
        raise WrongUsage(f"the script {name}{_why_unread(error)}", hint=hint) from error
    if "\0" in text or len(data) > WRITTEN_BYTES:
        why = "has NUL bytes" if "\0" in text else f"is larger than {WRITTEN_BYTES // 1024} KiB"
        raise WrongUsage(f"the script {name} {why}", hint="a script is a text file of verb lines")
    return text.replace("\r\n", "\n")


def _why_unread(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return f", line {line}: not UTF-8 text"
    return f" cannot be read: {error.strerror if isinstance(error, OSError) else error}"


def read_toml(text: str, path: Path) -> dict[str, Any]:
    """The TOML as data; WrongConfig with file, line and column when it is no TOML."""
    hint = f"{path.name} needs no more than three levels"
    too_deep = WrongConfig(f"{path}: its tables or lists are nested too deeply", hint=hint)
    if any(_QUOTED.sub("", line).partition("#")[0].count(".") > MOST_DOTS for line in text.splitlines()):
        raise too_deep
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise too_deep from error
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = re.search(r"\(at line (\d+), column (\d+)\)", message)
        end = f"line {max(1, len(text.splitlines()))}, at the end"
        where = f"line {at[1]}, column {at[2]}" if at else end
        reason = message.partition(" (at ")[0]
        form = "text in quotes, one `key = value` a line, `[table]` headers"
        hint = f"correct that line of {path.name}: {form}"
        raise WrongConfig(f"{path}, {where}: not TOML: {reason}", hint=hint) from error
    except ValueError as error:  # a number of five thousand digits
        why = "a number of thousands of digits" if "digits" in str(error) else error
        raise WrongConfig(f"{path}: not TOML: {why}", hint=f"correct that value of {path.name}") from error


def validated(model: type[M], data: Mapping[str, Any], text: str, path: Path) -> M:
    """`data` as `model`; WrongConfig about one thing that cannot be, and how many more there are."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        lines = places(text)
        # A misspelled key is the reason when the right one is missing: unknown keys first.
        first = min(found, key=lambda e: (e["type"] != "extra_forbidden", line_of(lines, e["loc"])))
        raise _wrong(model, first, len(found) - 1, text, path) from error


def wrong_at(path: Path, text: str, place: Place, cause: str, hint: str) -> WrongConfig:
    """An error about one place of a file, in the form that every such error has."""
    key, line = dotted(place), line_of(places(text), place)
    return WrongConfig(f"{path}, line {line}: {key + ' ' if key else ''}{cause}", hint=hint)


def _wrong(model: type[BaseModel], error: ErrorDetails, more: int, text: str, path: Path) -> WrongConfig:
    place = error["loc"]
    others = f" (and {more} more)" if more else ""
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, place[:-1])
        hint = f"{suggestion(str(place[-1]), known)} allowed here: {', '.join(known)}".lstrip()
        return wrong_at(path, text, place, f"is not a known key{others}", hint)
    return wrong_at(path, text, place, sentence(error) + others, _advice(error, path))


def sentence(error: ErrorDetails) -> str:
    """What is allowed where the validation found something else, in our words."""
    words = _WORDS.get(error["type"], "has a value that is not allowed here")
    return words.format(**error.get("ctx", {}))


def _advice(error: ErrorDetails, path: Path) -> str:
    if error["type"] == "missing":
        return f"add `{error['loc'][-1]} = …` to that table of {path.name}"
    given = error["input"]
    shown = str(given).lower() if isinstance(given, bool) else repr(given)
    return f"it says {shown} now" if isinstance(given, (str, int, float)) else f"correct {path.name} there"


def _known_keys(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """The keys that the table at `place` may have, from the models nested in `model`'s fields."""
    current: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, str) and current is not None and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation)
    return tuple(current.model_fields) if current is not None else ()


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(a) for a in getattr(annotation, "__args__", ()))
    return next((m for m in inner if m is not None), None)
