"""Completion of a `:` line: words of the grammar, flags of the verb, names this console has seen."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from sparkconsole.config.globals import GLOBALS
from sparkconsole.errors import WrongUsage
from sparkconsole.fleet.store import Store
from sparkconsole.model.work.job import Run
from sparkconsole.verbs.grammar.forms import Field, FieldKind, fields
from sparkconsole.verbs.grammar.registry import load
from sparkconsole.verbs.grammar.session import Session
from sparkconsole.verbs.help.complete import images_in, models_in, names_for, place_of, waiting

ANYWHERE = (*(option.names[0] for option in GLOBALS if not option.whole_run), "--help")
"""Options of every verb that make sense in a line."""
NODE_FIELDS = ("names", "name", "node", "nodes", "on", "from_", "to", "copy_to")
"""Parameters that take names of nodes."""
NEWEST = 50
"""Runs of the journal that are looked at each time the line opens."""


@dataclass(frozen=True, slots=True)
class Here:
    """Names that this console has seen: what `:` and a shell complete comes of one table, by these."""

    nodes: Sequence[str] = ()
    images: Sequence[str] = ()
    models: Sequence[str] = ()
    runs: Sequence[str] = ()


def kept_runs(session: Session | None) -> tuple[Run, ...]:
    """The newest runs of the journal; none before there is one."""
    return tuple(islice(session.journal.newest(), NEWEST)) if session is not None else ()


def names_here(store: Store, session: Session | None, models: Sequence[str], kept: Iterable[Run]) -> Here:
    """`models`: those that were seen in the nodes' caches."""
    runs = tuple(kept)
    spoken = [run.words for run in runs]
    cluster = (session.cluster.image,) if session is not None else ()
    there = (image.tag for node in store.nodes.values() for image in node.images or () if image.tag)
    served = (store.server.model,) if store.server.model else ()
    return Here(
        nodes=tuple(store.nodes),
        images=tuple(dict.fromkeys((*cluster, *there, *images_in(spoken)))),
        models=tuple(dict.fromkeys((*models, *served, *models_in(spoken)))),
        runs=tuple(run.id for run in runs),
    )


def completions(line: str, console_words: Sequence[str], known: Here) -> tuple[str, ...]:
    """Every line that `line` may become by finishing its last word, the likeliest first."""
    before, _, last = line.rpartition(" ")
    given = tuple(before.split())
    prefix = f"{before} " if before else ""
    if given[-1:] in (("--nodes",), ("-n",)):
        words = tuple(known.nodes)
    else:
        words = _words(given, console_words, known)
        if last.startswith("-") and verb_of(given) and "--" not in given:
            words = (*words, *ANYWHERE)
    finished = (prefix + word for word in dict.fromkeys(words) if word.startswith(last) and word != last)
    return (*_within(line), *finished)


def _within(line: str) -> tuple[str, ...]:
    """The verbs of a group that was typed to its end."""
    return tuple(" ".join(verb) for verb in load() if len(verb) > 1 and verb[0] == line)


def taken(line: str, console_words: Sequence[str], known: Here) -> str:
    """`line` with as much more as is certain, else with the first that is possible."""
    found = completions(line, console_words, known)
    if _within(line):
        return f"{line} "
    if len(found) == 1:
        return f"{found[0]} "
    certain = "".join(c[0] for c in takewhile(lambda c: len({*c}) == 1, zip(*found, strict=False)))
    return certain if len(certain) > len(line) else next(iter(found), line)


def meaning(line: str) -> str:
    """What the last word means, when it is a flag of the verb or the verb's own; empty otherwise."""
    words = tuple(line.split())
    verb = verb_of(words)
    if not verb or line.endswith(" "):
        return ""
    if " ".join(words) == verb:
        return load()[tuple(verb.split())].summary
    return next((f.help for f in _fields(verb) if words[-1] in f.flags), "")


def _words(words: tuple[str, ...], console_words: Sequence[str], known: Here) -> tuple[str, ...]:
    verb = verb_of(words)
    count = len(words)
    following = tuple(dict.fromkeys(v[count] for v in load() if v[:count] == words and len(v) > count))
    if not words:
        return (*following, *console_words)
    if not verb:
        return following
    return (*following, *_values(verb, words, known))


def verb_of(words: Sequence[str]) -> str:
    """The verb that these words begin with; empty when there is none."""
    return next((" ".join(words[:n]) for n in (2, 1) if tuple(words[:n]) in load()), "")


def _values(verb: str, given: tuple[str, ...], known: Here) -> tuple[str, ...]:
    """What may come next: the value that the last flag waits for, else names and flags."""
    every, words = _fields(verb), tuple(verb.split())
    if (asks := waiting(every, given[-1])) is not None:
        return names_for(words, asks, known)
    here = place_of(every, given[len(words) :])
    placed = names_for(words, here, known) if here is not None and "--" not in given else ()
    fresh = (f for f in every if f.flags and (f.kind is FieldKind.LIST or not set(f.flags) & set(given)))
    flags = [f.flags[0] for f in fresh] if "--" not in given else []
    return (*(name for name in placed if name not in given), *flags)


@functools.cache
def _fields(verb: str) -> tuple[Field, ...]:
    try:
        return fields(verb)
    except WrongUsage:
        return ()
