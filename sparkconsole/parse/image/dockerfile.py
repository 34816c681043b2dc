"""A Dockerfile as its builder reads it: instructions one by one, heredocs passed over, names filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(\S+)[ \t]*")
_HEREDOC = re.compile(r"[0-9]{0,9}<<(-?)([^<]+)")
_KNOWS_CONTEXTS = re.compile(
    r"(?:docker\.io/)?docker/dockerfile:1(?:\.(?:[4-9]|[1-9][0-9])(?:\.[0-9]{1,3})?)?(?:-labs)?"
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MANY_WORDS = ("RUN", "COPY", "ADD")
"""What a heredoc may stand behind."""
_DEEPEST = 8
"""A default within a default, and so on: deeper than anybody writes."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its lines joined."""

    word: str
    rest: str


def directives(text: str) -> dict[str, str]:
    """What its first lines say to the builder: `# syntax=…`, `# escape=…`."""
    found: dict[str, str] = {}
    for line in _lines(text):
        if not (directive := _DIRECTIVE.fullmatch(line.strip())):
            break
        found[directive[1].lower()] = directive[2]
    return found


def takes_contexts(text: str) -> bool:
    """Its reader knows `--build-context`: the builder's own, or one since 1.4."""
    syntax = directives(text).get("syntax", "")
    return not syntax or _KNOWS_CONTEXTS.fullmatch(syntax) is not None


def instructions(text: str) -> Iterator[Instruction]:
    """Its instructions in order; comments and what heredocs hold are none."""
    escape, joined = directives(text).get("escape", "\\"), list[str]()
    heredocs: list[tuple[str, bool]] = []
    for line in _lines(text):
        if heredocs:
            name, indented = heredocs[0]
            heredocs = heredocs[1:] if (line.lstrip("\t") if indented else line) == name else heredocs
            continue
        if line.lstrip().startswith("#") or not line.strip():
            continue  # between the lines of one instruction, too
        part, goes_on = _continued(line, escape)
        joined.append(part)
        if goes_on:
            continue
        found, joined = _instruction("".join(joined)), []
        yield found
        heredocs = heredocs_of(found)
    if joined:
        yield _instruction("".join(joined))


def _lines(text: str) -> list[str]:
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]


def _continued(line: str, escape: str) -> tuple[str, bool]:
    """Without its sign that it goes on, and whether it does; two of them are a letter."""
    bare = line.rstrip(" \t")
    goes_on = bare.endswith(escape) and not bare.endswith(escape * 2)
    return (bare.removesuffix(escape), True) if goes_on else (line, False)


def _instruction(line: str) -> Instruction:
    word, _, rest = line.strip().partition(" ")
    first, _, tabbed = word.partition("\t")
    return Instruction(first.upper(), f"{tabbed} {rest}".strip())


def heredocs_of(found: Instruction) -> list[tuple[str, bool]]:
    """The ends of the texts that follow an instruction, and whether tabs may stand before them."""
    if found.word not in _MANY_WORDS:
        return []
    ends = (_HEREDOC.fullmatch(word) for word in words(found.rest))
    return [(re.sub("[\"']", "", s[2]), bool(s[1])) for s in ends if s]


def words(text: str) -> list[str]:
    """Parted at blanks outside of quotes, quotes and all."""
    found, begun, quote, escaped = [], -1, "", False
    for at, char in enumerate(text):
        if not quote and not escaped and char.isspace():
            if begun >= 0:
                found.append(text[begun:at])
            begun = -1
            continue
        begun = at if begun < 0 else begun
        if escaped:
            escaped = False
        elif char == "\\" and quote != "'":
            escaped = True
        elif char in "\"'" and quote in ("", char):
            quote = "" if quote else char
    return [*found, text[begun:]] if begun >= 0 else found


def named(text: str) -> set[str]:
    """The variables that a word speaks of."""
    return set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", text))


def filled_in(text: str, values: Mapping[str, str]) -> str | None:
    """A word as the builder reads it: quotes gone, variables filled in; None: only the builder can."""
    try:
        return _Filling(text, values).to_the_end("", 0)
    except _Unknown:
        return None


class _Unknown(Exception):
    """It is written in a way that is not known here."""


class _Filling:
    """One pass over a word, from the left."""

    def __init__(self, text: str, values: Mapping[str, str]) -> None:
        self._text, self._values, self._at = text, values, 0

    def to_the_end(self, end: str, depth: int) -> str:
        """What stands before `end`, which is passed; empty: all of the rest."""
        if depth > _DEEPEST:
            raise _Unknown
        found, quote = list[str](), ""
        while (char := self._next()) and (quote or char != end):
            if char == "\\" and quote != "'":
                found.append(self._next())
            elif char in "\"'" and quote in ("", char):
                quote = "" if quote else char
            else:
                found.append(self._variable(depth) if char == "$" and quote != "'" else char)
        if char != end or quote:
            raise _Unknown
        return "".join(found)

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _name(self) -> str:
        found = _VARIABLE.match(self._text, self._at)
        if found is None:
            raise _Unknown
        self._at = found.end()
        return found[0]

    def _variable(self, depth: int) -> str:
        if not self._text.startswith("{", self._at):
            return self._values.get(self._name(), "")
        self._at += 1
        name = self._name()
        value, sign = self._values.get(name), self._next()
        if sign == "}":
            return value or ""
        strict = sign == ":"
        sign = self._next() if strict else sign
        if sign not in ("-", "+"):
            raise _Unknown
        other, there = self.to_the_end("}", depth + 1), bool(value) if strict else value is not None
        return (value or "" if there else other) if sign == "-" else (other if there else "")
