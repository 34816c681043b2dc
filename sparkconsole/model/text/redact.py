"""Secrets never reach a file, a log or a screen: everything that looks like one becomes `***`.

Shapes follow what vllm, docker, curl, Hugging Face, NVIDIA and GitHub use. Counts of tokens are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

STARS = "***"
_UPPER = r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|(?:ACCESS|SECRET|PRIVATE)_KEY)"
_LOWER = (
    r"(?:api_?key|password|passwd|passphrase|secret|(?:access|secret|private)_key"
    r"|(?:hf|hub|auth|access|refresh|bearer|api|secret)_token)"
)
_FLAG = r"--?(?:[a-z][a-z0-9-]*-)?(?:api-?key|token|password|passphrase|secret)"
_INNOCENT = r"(?!(?:None|null|true|false|\*\*\*)\b|\$\{|\*\*\*)"
_VALUE = r"""(?:"[^"\n]*"|'[^'\n]*'|[^\s"',;&\])}]+)"""

_NAME = re.compile(rf"(?:[A-Z][A-Z0-9_]*_)?{_UPPER}|(?:[a-z][a-z0-9_]*_)?{_LOWER}")
_FLAG_WORD = re.compile(_FLAG)
_SHAPES = (
    re.compile(rf"""(?P<keep>(?<![A-Za-z0-9])(?:{_UPPER}|{_LOWER})["']?\s*[=:]\s*\[?){_INNOCENT}{_VALUE}"""),
    re.compile(rf"(?P<keep>(?<!\S){_FLAG}(?:=|\s+)){_INNOCENT}(?!--){_VALUE}"),
    re.compile(r"(?P<keep>(?i:authorization)\W{1,3}\s*\w+\s+)[^\s\"']+"),
    re.compile(r"(?P<keep>\b(?i:bearer)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"(?P<keep>://[^/\s:@]*:)[^/\s@]+(?=@)"),
    re.compile(r"(?P<keep>)\bhf_(?=[A-Za-z0-9]*[A-Z0-9])[A-Za-z0-9]{8,}"),
    re.compile(r"(?P<keep>)\b(?:nvapi-[\w-]{10,}|sk-[\w-]{16,}|gh[pousr]_\w{20,})"),
)


def secret_name(name: str) -> bool:
    """An environment variable or a key of that name holds a secret."""
    return _NAME.fullmatch(name) is not None


def secret_flag(word: str) -> bool:
    """The word after this flag is a secret (`--api-key`)."""
    return _FLAG_WORD.fullmatch(word) is not None


def secret_values(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values, longest first, of the variables whose names look secret; too short ones hide nothing."""
    values = {v for k, v in environment.items() if secret_name(k.upper()) and len(v) >= 8}
    return tuple(sorted(values, key=len, reverse=True))


def redact(text: str, known: Iterable[str] = ()) -> str:
    """`text` with every secret as `***`; `known` are values that are secret wherever they stand.

    What cannot be written as UTF-8 (undecodable bytes of an argv) becomes `?`.
    """
    text = text.encode("utf-8", "replace").decode()
    for value in known:
        text = text.replace(value, STARS)
    for shape in _SHAPES:
        text = shape.sub(rf"\g<keep>{STARS}", text)
    return text


def redact_words(words: Sequence[str], known: Iterable[str] = ()) -> tuple[str, ...]:
    """An argv without its secrets: also the word after `--api-key`, and all of `NAME=…` with its spaces."""
    known = tuple(known)
    pairs = zip(("", *words), words, strict=False)
    return tuple(STARS if secret_flag(before) else _redact_word(word, known) for before, word in pairs)


def _redact_word(word: str, known: tuple[str, ...]) -> str:
    name, equals, _ = word.partition("=")
    if equals and (secret_name(name) or secret_flag(name)):
        return f"{name}={STARS}"
    return redact(word, known)


def redact_data(data: Any, known: Iterable[str] = ()) -> Any:
    """JSON-like `data` without its secrets; lists of text are argv, secret keys hide their value."""
    known = tuple(known)
    if isinstance(data, str):
        return redact(data, known)
    if isinstance(data, Mapping):
        hidden = {k for k, v in data.items() if secret_name(str(k)) and isinstance(v, str) and v}
        return {k: STARS if k in hidden else redact_data(v, known) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        if all(isinstance(item, str) for item in data):
            return list(redact_words(data, known))
        return [redact_data(item, known) for item in data]
    return data
