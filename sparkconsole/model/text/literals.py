"""Words that a text must hold for a pattern to fit: looking for them costs a fraction of the pattern.

Only what these patterns use of the syntax is read; where something is not understood, nothing is demanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

_SHORTEST = 3
"""Characters of a word that is worth looking for."""
_FREQUENT = frozenset("etaoinsrhldcu _-.0123456789")
_ZERO_WIDTH = frozenset("bBAZ")
_CLASSES = frozenset("dDwWsS")
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
Words = frozenset[str]


@dataclass(slots=True)
class _Reader:
    """A pattern's text, and how far it was read."""

    text: str
    at: int = 0

    @property
    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, count: int = 1) -> str:
        taken = self.text[self.at : self.at + count]
        self.at += count
        return taken

    def skips(self, words: str) -> bool:
        """Whether the words came next; they are behind us then."""
        came = self.text.startswith(words, self.at)
        self.at += len(words) if came else 0
        return came


def needed(pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Words of which a text that the pattern fits has at least one; none: any text may fit."""
    if pattern.flags & re.IGNORECASE or "(?i" in pattern.pattern or "(?x" in pattern.pattern:
        return ()
    return tuple(sorted(_alternatives(_Reader(pattern.pattern)) or ()))


def holds(text: str, words: Sequence[str]) -> bool:
    """Whether a text has one of the words; yes where none are demanded."""
    if not words:
        return True
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


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


def _alternatives(read: _Reader) -> Words | None:
    """What one of several branches needs; None: a branch needs nothing."""
    branches = [_sequence(read)]
    while read.skips("|"):
        branches.append(_sequence(read))
    if any(b is None for b in branches):
        return None
    return frozenset[str]().union(*(b for b in branches if b is not None))


def _sequence(read: _Reader) -> Words | None:
    """The best of what one branch needs: the longest words."""
    wanted: list[Words] = []
    run = ""
    for piece in _pieces(read):
        if isinstance(piece, str) and piece:
            run += piece
            continue
        wanted.append(frozenset((run,)))
        run = ""
        if piece:
            wanted.append(frozenset(piece))
    wanted.append(frozenset((run,)))
    good = [w for w in wanted if min(map(len, w)) >= _SHORTEST]
    return max(good, key=lambda w: (min(map(len, w)), -len(w)), default=None)


def _pieces(read: _Reader) -> Iterator[str | Words | None]:
    """A character that must stand there, what a group needs, or None where anything may stand."""
    while read.next not in ("", "|", ")"):
        piece = _atom(read)
        if piece == "":
            continue
        least, once = _repeats(read)
        if least == 0:
            yield None
        elif once:
            yield piece
        elif isinstance(piece, str):
            # What follows the last of them need not follow the first.
            yield piece
            yield None
        else:
            yield piece
            yield None


def _atom(read: _Reader) -> str | Words | None:
    """One unit; an empty text: it has no width."""
    char = read.take()
    if char == "\\":
        return _escaped(read.take())
    if char == "[":
        _class(read)
        return None
    if char == "(":
        return _group(read)
    if char in "^$":
        return ""
    return None if char == "." else char


def _escaped(char: str) -> str | None:
    if char in _ZERO_WIDTH:
        return ""
    if char in _CLASSES or char.isdigit() or char in "xuN":
        return None
    return _CONTROL.get(char, char)


def _class(read: _Reader) -> None:
    """A set of characters."""
    read.skips("^")
    read.skips("]")
    while read.next not in ("", "]"):
        if read.take() == "\\":
            read.take()
    read.take()


def _group(read: _Reader) -> str | Words | None:
    around = any(read.skips(s) for s in ("?=", "?!", "?<=", "?<!"))
    if not around and read.skips("?P="):
        while read.take() not in ("", ")"):
            pass
        return None
    if not around and not read.skips("?:") and read.skips("?P<"):
        while read.take() not in ("", ">"):
            pass
    inside = _alternatives(read)
    read.take()
    return "" if around else inside


def _repeats(read: _Reader) -> tuple[int, bool]:
    """How often at least, and whether exactly once."""
    least, once = 1, True
    if read.next in ("?", "*"):
        read.take()
        least, once = 0, False
    elif read.skips("+"):
        once = False
    elif read.next == "{" and (found := re.compile(r"\{(\d*)(?:,\d*)?\}").match(read.text, read.at)):
        read.at = found.end()
        least, once = int(found[1] or 0), False
    if not once and read.next in ("?", "+"):
        read.take()
    return least, once
