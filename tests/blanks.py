"""What a dry run left blank, read out of what ran."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_BLANK = re.compile("‹([^‹›]+)›")


def blanks(words: Sequence[str]) -> tuple[str, ...]:
    """The names in these words, each once, in order."""
    return tuple(dict.fromkeys(name for word in words for name in _BLANK.findall(word)))


def filled(shown: Sequence[str], ran: Sequence[str], known: Mapping[str, str]) -> dict[str, str] | None:
    """The values of all blanks so far, when `ran` is `shown` with its blanks filled in; None when it is not.

    A blank is one word or a part of one; a name that is `known` stands for that value and no other.
    """
    if len(shown) != len(ran):
        return None
    values = dict(known)
    for planned, word in zip(shown, ran, strict=True):
        found = re.fullmatch(_pattern(planned, values), word, re.DOTALL)
        if found is None:
            return None
        names = [n for n in blanks((planned,)) if n not in values]
        values.update(zip(names, found.groups(), strict=True))
    return values


def _pattern(planned: str, values: Mapping[str, str]) -> str:
    """A name's first place takes any value, its other places the same one."""
    parts, fresh = [], list[str]()
    # Names stand at the odd places of what the split gives.
    for place, part in enumerate(_BLANK.split(planned)):
        if place % 2 == 0:
            parts.append(re.escape(part))
        elif part in values:
            parts.append(re.escape(values[part]))
        elif part in fresh:
            parts.append(rf"(?:\{fresh.index(part) + 1})")
        else:
            fresh.append(part)
            parts.append("(.+?)")
    return "".join(parts)
