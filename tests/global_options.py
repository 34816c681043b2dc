"""The global options of a command line, as the program takes them out of it."""

from __future__ import annotations

from collections.abc import Sequence

from sparkconsole.config.globals import Options, split_words


def read_globals(words: Sequence[str]) -> tuple[Options, list[str]]:
    """The options among `words`, and the other words in their order."""
    said = split_words(words)
    return said.over(Options()), list(said.rest)
