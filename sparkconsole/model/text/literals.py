"""Words that a text must hold for a pattern to fit: looking for them costs a fraction of the pattern.

Only what these patterns use of the syntax is read; where something is not understood, nothing is demanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

_SHORTEST = 3
"""Characters of a word that is worth looking for."""
_FREQUENT = frozenset("etaoinsrhldcu _-.0123456789")
_TOKEN = re.compile(
    r"(?P<around>\(\?<?[=!])|(?P<any>\(\?P=\w+\)|\[\^?\]?(?:\\.|[^\]\\])*\]|\\[dDwWsSxuN0-9]|\.)"
    r"|(?P<open>\((?:\?:|\?P<\w+>)?)|(?P<close>\))|(?P<either>\|)"
    r"|(?P<repeat>(?P<optional>[?*]|\{0?(?:,\d*)?\})|\+|\{\d+(?:,\d*)?\})[?+]?"
    r"|(?P<nowhere>[\^$]|\\[bBAZ])|(?P<control>\\[tnrfv])|\\?(?P<letter>.)",
    re.DOTALL,
)
_CONTROL = {r"\t": "\t", r"\n": "\n", r"\r": "\r", r"\f": "\f", r"\v": "\v"}
Words = frozenset[str]
Piece = str | Words | None
"""A character that must stand there (none: no width), what a group needs, or None: anything may stand."""


def needed(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Words of which a text that the pattern fits has at least one; none: any text may fit."""
    if pattern.flags & re.IGNORECASE or "(?i" in pattern.pattern or "(?x" in pattern.pattern:
        return ()
    return tuple(sorted(_alternatives(_TOKEN.finditer(pattern.pattern)) or ()))


class Sieve:
    """Many patterns, of which those are found that a text may fit."""

    def __init__(self, patterns: Sequence[re.Pattern[str]]) -> None:
        self._always = tuple(i for i, p in enumerate(patterns) if not needed(p))
        by_word: dict[str, list[int]] = {}
        for index, pattern in enumerate(patterns):
            for word in needed(pattern):
                by_word.setdefault(word, []).append(index)
        self._by_gram: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
        for word, indices in sorted(by_word.items()):
            self._by_gram.setdefault(_rarest(word), []).append((word, tuple(indices)))
        self._grams = frozenset(self._by_gram)

    def may_fit(self, text: str) -> list[int]:
        """The positions of those patterns, in their order."""
        found = set(self._always)
        for gram in self._grams & grams_of(text):
            for word, indices in self._by_gram[gram]:
                if word in text:
                    found.update(indices)
        return sorted(found)


@lru_cache(maxsize=16)
def grams_of(text: str) -> frozenset[str]:
    """All that stands in a text for three characters: one pass finds which of many words it may have."""
    return frozenset({text[i : i + _SHORTEST] for i in range(len(text) - _SHORTEST + 1)})


def _rarest(word: str) -> str:
    """Three characters of a word that are seldom in other texts."""
    grams = [word[i : i + _SHORTEST] for i in range(len(word) - _SHORTEST + 1)]
    return min(grams, key=lambda g: (sum(c in _FREQUENT for c in g), g))


def _alternatives(tokens: Iterator[re.Match[str]]) -> Words | None:
    """What the branches up to the end of their group need together; None: one of them needs nothing."""
    branches: list[list[Piece]] = [[]]
    for token in tokens:
        if token["close"]:
            break
        if token["either"]:
            branches.append([])
        elif token["repeat"]:
            # What follows the last of several need not follow the first.
            branches[-1][-1:] = [None] if token["optional"] else [branches[-1][-1], None]
        else:
            branches[-1].append(_piece(token, tokens))
    found = [_longest(pieces) for pieces in branches]
    return None if None in found else frozenset[str]().union(*(words for words in found if words))


def _piece(token: re.Match[str], tokens: Iterator[re.Match[str]]) -> Piece:
    match token.lastgroup:
        case "open":
            return _alternatives(tokens)
        case "around":
            _alternatives(tokens)
        case "control":
            return _CONTROL[token[0]]
        case "any":
            return None
    return token["letter"] or ""


def _longest(pieces: Sequence[Piece]) -> Words | None:
    """The best of what one branch needs: the longest words."""
    wanted: list[Words] = []
    for is_text, run in groupby(pieces, lambda piece: isinstance(piece, str)):
        some = [piece for piece in run if piece]
        wanted += [frozenset(["".join(map(str, some))])] if is_text else map(frozenset, some)
    good = [words for words in wanted if min(map(len, words)) >= _SHORTEST]
    return max(good, key=lambda words: (min(map(len, words)), -len(words)), default=None)
