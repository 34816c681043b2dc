"""Secrets never reach a file, a log or a screen: everything that looks like one becomes `***`.

Only what is shown or kept comes by here: what is carried out still has them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any

from sparkconsole.model.text.printable import printable, without_escapes
from sparkconsole.model.text.redact_shapes import (
    AWAITS,
    BLOCK,
    FLAG_WORD,
    HEADER_NAME,
    NAME,
    NAMES,
    NO_SECRET,
    OF_A_STORE,
    OF_PROGRAMS,
    SHAPES,
    SIGNS,
)

STARS = "***"
LEAST = 8
"""Characters of a value of the environment that is hidden wherever it stands; a shorter one hides nothing."""
LEAST_GIVEN = 4
"""The same of what a person gave by a secret name in this very run."""


_Compiled = tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]
_BODY = re.compile(r"""["']?[A-Za-z0-9+/=]{1,120}(?:\\r)?(?:\\n)?["']?""")
_ENDS = " \t\r\n,;+\\"
"""What a program's source has behind a line in quotes."""
_MOST_BODY = 400
_OFTEN = 400
_NEAR = 120
"""Characters of an argv that may say what its next word is."""
_learned: list[str] = []


def secret_name(name: str) -> bool:
    """An environment variable or a key of that name holds a secret."""
    return NAME.fullmatch(name) is not None


def secret_flag(word: str) -> bool:
    """The word after this flag is a secret (`--api-key`, and as vLLM's parser reads it: `--api_ke`)."""
    return FLAG_WORD.fullmatch(word) is not None


def learn(values: Iterable[str], shortest: int = LEAST_GIVEN) -> None:
    """From now on these are hidden wherever they stand, line by line, and as a shell quotes them."""
    lines = {line.strip() for value in values for line in value.splitlines()}
    new = {line for line in lines if len(line) >= shortest and not NO_SECRET.fullmatch(line)}
    quoted = {line.replace("'", "'\"'\"'") for line in new}
    if more := (new | quoted) - set(_learned):
        _learned[:] = sorted((*_learned, *more), key=len, reverse=True)
        _seen.cache_clear()


def learn_environment(environment: Mapping[str, str]) -> None:
    """The values of the variables whose names look secret."""
    learn((value for name, value in environment.items() if secret_name(name)), LEAST)


def learn_words(words: Sequence[str]) -> None:
    """What an argv says by a secret name: `--api-key K`, `-e HF_TOKEN=V`, `--set HF_TOKEN=V`."""
    learn(secret for _, secret in _pieces(words) if secret)


def redact(text: str) -> str:
    """`text` with every secret as `***`: what has the shape of one, and what was learned.

    What cannot be written as UTF-8 (undecodable bytes of an argv) becomes `?`.
    """
    return _seen(text) if len(text) <= _OFTEN else _redacted(text)


def _redacted(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    for value in _learned:
        text = text.replace(value, STARS)
    low = text.lower()
    named = NAMES.search(low) is not None
    if not named and not any(sign in low for sign in SIGNS):
        return text
    if "\n" in text and ("PRIVATE KEY" in text or BLOCK.search(text)):
        return "\n".join(map(LineRedactor(), text.split("\n")))
    return _starred(text, shapes(), named=named)


def _starred(text: str, some: _Compiled, *, named: bool = False) -> str:
    low = text.lower()
    for signs, shape in some:
        if any(sign in low for sign in signs) if signs else named:
            text = shape.sub(rf"\g<keep>{STARS}", text)
    return text


_seen = lru_cache(maxsize=2048)(_redacted)
"""A screen draws the same few words over and over."""


@cache
def shapes() -> _Compiled:
    """The signs and the pattern of each shape; most runs of the program look for none of them."""
    return tuple((signs, re.compile(source)) for signs, source in SHAPES)


class LineRedactor:
    """Redacts one line after another of one text: also a private key and a block, which go over several."""

    __slots__ = ("_block", "_left", "_words")

    def __init__(self) -> None:
        self._left = self._words = 0
        self._block: int | None = None

    def __call__(self, line: str) -> str:
        """The line without its secrets."""
        bare = line.lstrip(" \t")
        depth = len(line) - len(bare)
        if self._block is not None and (depth > self._block or not bare.strip()):
            return line[:depth] + STARS if bare.strip() else line
        end = line.rstrip()[-3:]
        self._block = depth if ("|" in end or ">" in end) and BLOCK.search(line) else None
        return self._in_key(line)

    def _in_key(self, line: str) -> str:
        words = line.rstrip(_ENDS).split(" ")
        if self._left and "-----END" not in line and (":" in line or len(words) <= self._words):
            self._left -= 1
            hide = _BODY.fullmatch(words[-1]) is not None
            return " ".join((*words[:-1], STARS)) if hide else redact(line)
        before, begin, rest = line.replace("-----BEGIN\t", "-----BEGIN ", 1).partition("-----BEGIN ")
        begins = begin and "PRIVATE KEY" in rest and "-----END" not in rest
        self._left, self._words = (_MOST_BODY, len(before.split(" "))) if begins else (0, 0)
        return redact(line)


def presentable(text: str) -> str:
    """`text` as it may be shown: neither secrets nor what a terminal would obey."""
    return redact(printable(text))


def command_line(argv: Sequence[str]) -> str:
    """An argv as a shell takes it, without its secrets."""
    return shlex.join(redact_words(argv))


def redact_words(words: Sequence[str]) -> tuple[str, ...]:
    """An argv, or lines, without secrets: also the word after `--api-key`, and all of `NAME=…`."""
    found = [shown for shown, _ in _pieces(words)]
    joined = shlex.join(found)
    if (starred := _starred(joined, shapes()[-len(OF_PROGRAMS) :])) != joined:
        with suppress(ValueError):
            found = shlex.split(starred)
    return tuple(found)


def _pieces(words: Sequence[str]) -> list[tuple[str, str]]:
    """Each word as it may be shown, and what in it the words before it make a secret."""
    line = LineRedactor()
    found: list[tuple[str, str]] = []
    for at, word in enumerate(words):
        before = words[at - 1] if at else ""
        secret = _behind(before, word)
        if not secret and _awaited([shown for shown, _ in found[-3:]], before, words[at : at + 3]):
            secret = word
        shown = word.removesuffix(secret) + STARS if secret else _json(word) or line(word)
        found.append((shown, secret))
    return found


def _json(word: str) -> str:
    """A word of an argv that is JSON with secrets, without them; empty: it is none, or has none."""
    if word[:1] not in ("{", "[") or '"' not in word:
        return ""
    try:
        data = json.loads(word)
        safe = redact_data(data)
    except (ValueError, RecursionError):
        return ""
    between = (", ", ": ") if '": ' in word else (",", ":")
    return "" if safe == data else json.dumps(safe, ensure_ascii=False, separators=between)


def _awaited(shown: Sequence[str], before: str, words: Sequence[str]) -> bool:
    """The first of `words` is the value of a header, or of an assignment, that stands in words before it."""
    if shown and shown[-1] == STARS and before.endswith(";"):
        return True  # the next part of a cookie
    text = " ".join(shown)[-_NEAR:].rstrip()
    if words[0].startswith("--") or not AWAITS.search(text):
        return False
    probe = " ".join((text, *(word[:_NEAR] for word in words)))
    return _starred(probe, shapes(), named=True).startswith(f"{text} {STARS}")


def _behind(before: str, word: str) -> str:
    """What of a word is secret: all of it behind a flag, the value of `NAME=V`, `--env=NAME=V`."""
    name, equals, value = word.partition("=")
    if name in ("--env", "--build-arg", "--set", "-e"):
        name, equals, value = value.partition("=")
    if secret_flag(before) and word[:2] != "--":
        value = word
    elif not (equals and (secret_name(name) or secret_flag(name))):
        return ""
    return "" if NO_SECRET.fullmatch(value) or OF_A_STORE.match(word) else value


def redact_data(data: Any) -> Any:
    """JSON-like `data` without its secrets; lists of text are argv, secret keys hide their value."""
    if isinstance(data, str):
        return redact(without_escapes(data))
    if isinstance(data, Mapping):
        return _redacted_mapping(data)
    if isinstance(data, (list, tuple)):
        if all(isinstance(item, str) for item in data):
            return list(redact_words(data))
        return [redact_data(item) for item in data]
    return data


def _redacted_mapping(data: Mapping[Any, Any]) -> dict[Any, Any]:
    named = next((str(data[k]) for k in ("name", "Name", "key", "Key") if isinstance(data.get(k), str)), "")
    found: dict[Any, Any] = {}
    for key, value in data.items():
        secret = _secret_key(str(key)) or (key in ("value", "Value") and _secret_key(named))
        shown = redact(key) if isinstance(key, str) and "://" in key else key
        if shown in found:
            shown = f"{shown} ({len(found) + 1})"  # keys that differ in their secrets only
        found[shown] = _hidden(value) if secret else redact_data(value)
    return found


def _secret_key(name: str) -> bool:
    return secret_name(name) or HEADER_NAME.fullmatch(name) is not None


def _hidden(data: Any) -> Any:
    """Every text of `data` as `***`; numbers stay, which are counts."""
    if isinstance(data, str):
        return STARS if data else data
    if isinstance(data, Mapping):
        return {key: _hidden(value) for key, value in data.items()}
    return [_hidden(item) for item in data] if isinstance(data, (list, tuple)) else data
