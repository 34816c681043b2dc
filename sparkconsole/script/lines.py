"""A script is a file of verb lines: `#` comments, `\\` continues a line, quotes may span lines, `${NAME}` is
filled in from `--set` or the environment after the line was split, so a value is always one word's part."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sparkconsole.errors import WrongUsage
from sparkconsole.model.text.redact import learn, secret_name

_VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One verb line: where it stands and its words."""

    number: int
    words: tuple[str, ...]
    where: str = field(default="", compare=False)
    """`FILE:LINE`, as errors name it."""


def read_script(text: str, values: Mapping[str, str], name: str = "script") -> tuple[ScriptLine, ...]:
    """Every verb line of `text`; WrongUsage with file and line for an open quote or an unknown `${NAME}`."""
    lines = []
    for number, words in _logical_lines(text, name):
        where = f"{name}:{number}"
        if words:
            lines.append(ScriptLine(number, tuple(_fill(word, values, where) for word in words), where))
    return tuple(lines)


def _logical_lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    pending, began, opened = "", 0, ""
    for number, line in enumerate(text.split("\n"), 1):
        began = began if pending else number
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        opened = opened if opened and opened not in line else _left_open(pending)
        if opened:
            pending += "\n"
            continue
        words, pending = shlex.split(pending, comments=True), ""
        yield began, words
    if pending.strip() and not opened:
        cause = f"{name}:{began}: the last line ends in \\, and nothing follows"
        raise WrongUsage(cause, hint="is the script whole?")
    if pending.strip():
        raise WrongUsage(f"{name}:{began}: a quote is opened and never closed")


def _left_open(text: str) -> str:
    """The quote, or the backslash, that `text` ends within: only a line that has it too can end that."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    try:
        list(lexer)
    except ValueError:
        return str(vars(lexer)["state"])  # which quote it was in; typeshed leaves it out
    return ""


def _fill(word: str, values: Mapping[str, str], where: str) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        if match[2] not in values:
            raise WrongUsage(f"{where}: ${{{match[2]}}} has no value", hint=f"give it: --set {match[2]}=…")
        if secret_name(match[2]):
            learn((values[match[2]],))
        return values[match[2]]

    return _VARIABLE.sub(value, word)
