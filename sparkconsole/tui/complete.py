"""Completion of a `:` line: words of the grammar, flags of the verb, names of nodes. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from sparkconsole.errors import WrongUsage
from sparkconsole.verbs.forms import Field, Kind, fields
from sparkconsole.verbs.registry import load

NODE_FIELDS = ("names", "name", "node", "nodes", "on", "from_", "to", "copy_to")
"""Parameters that take names of nodes."""


def completions(line: str, console_words: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    """Every line that `line` may become by finishing its last word, the likeliest first."""
    before, _, last = line.rpartition(" ")
    said = tuple(before.split())
    prefix = f"{before} " if before else ""
    return tuple(
        prefix + word for word in _words(said, console_words, nodes) if word.startswith(last) and word != last
    )


def _words(said: tuple[str, ...], console_words: Sequence[str], nodes: Sequence[str]) -> tuple[str, ...]:
    verb = verb_of(said)
    groups = {v[0] for v in load()}
    following = tuple(
        dict.fromkeys(v[len(said)] for v in load() if v[: len(said)] == said and len(v) > len(said))
    )
    if not said:
        return (*following, *console_words)
    if not verb:
        return following if said[0] in groups else ()
    return (*following, *_values(verb, said, nodes))


def verb_of(said: Sequence[str]) -> str:
    """The verb that these words begin with; empty when there is none."""
    for length in (2, 1):
        if tuple(said[:length]) in load() and len(said) >= length:
            return " ".join(said[:length])
    return ""


def _values(verb: str, said: tuple[str, ...], nodes: Sequence[str]) -> tuple[str, ...]:
    """What may come next: the value that the last flag waits for, else nodes and flags."""
    known = _fields(verb)
    waiting = next((f for f in known if said[-1] in f.flags and f.kind is not Kind.CHECK), None)
    if waiting is not None:
        return waiting.choices or (tuple(nodes) if waiting.name in NODE_FIELDS else ())
    placed = tuple(nodes) if any(f.positional and f.name in NODE_FIELDS for f in known) else ()
    flags = tuple(
        f.flags[0] for f in known if f.flags and (f.kind is Kind.LIST or not set(f.flags) & set(said))
    )
    return (*(n for n in placed if n not in said), *flags)


@functools.cache
def _fields(verb: str) -> tuple[Field, ...]:
    try:
        return fields(verb)
    except WrongUsage:
        return ()
