"""The nearest word: how every face answers a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_ALIKE = 0.5
"""How alike two words have to be, 0 to 1, before one is offered for the other."""


def nearest(word: str, known: Iterable[str], *, alike: float = _ALIKE) -> str:
    """The known word most like `word`; empty when none is."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, alike)), "")


def did_you_mean(word: str, known: Iterable[str], *, alike: float = _ALIKE) -> str:
    """`; did you mean WORD?` for the end of a sentence; empty when no known word is like it."""
    return f"; {guess}" if (guess := suggestion(word, known, alike=alike)) else ""


def suggestion(word: str, known: Iterable[str], otherwise: str = "", *, alike: float = _ALIKE) -> str:
    """`did you mean WORD?` as a hint of its own; `otherwise` when no known word is like it."""
    near = nearest(word, known, alike=alike)
    return f"did you mean {near}?" if near else otherwise
