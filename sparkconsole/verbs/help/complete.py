"""What may come next in a half-typed command line: from the grammar and from what this machine knows.

Nobody is asked: names come from the inventory, the journal and the pretend clusters that last.
"""

from __future__ import annotations

import contextlib
import functools
import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Protocol

from sparkconsole.config import paths
from sparkconsole.config.bounded_read import bounded_bytes
from sparkconsole.config.globals import GLOBALS, HELP_WORDS, NAMES, VERSION_WORDS, Options, split_words
from sparkconsole.config.inventory import Inventory, load
from sparkconsole.config.patience import patiently
from sparkconsole.errors import SparkError
from sparkconsole.model.cluster import Cluster
from sparkconsole.verbs.grammar import registry
from sparkconsole.verbs.grammar.forms import Field, FieldKind, fields
from sparkconsole.verbs.grammar.node_words import ANYWHERE, parameters

NEWEST = 200
"""Runs of the journal that are looked at for names."""
_SOURCES = ("serve", "ray", "kernel", "nccl")
_CONDITIONS = ("nodes", "ray", "server", "image")


class Names(Protocol):
    """What a half-typed word may become the name of."""

    @property
    def nodes(self) -> Iterable[str]:
        """Head first."""

    @property
    def images(self) -> Iterable[str]:
        """By name and tag."""

    @property
    def models(self) -> Iterable[str]:
        """As the hub names them."""

    @property
    def runs(self) -> Iterable[str]:
        """Ids, the newest first."""


@dataclass(frozen=True)
class KnownNames:
    """Names that this machine knows, each read when it is first asked for."""

    options: Options

    @functools.cached_property
    def inventory(self) -> Inventory:
        """Empty where it cannot be read."""
        try:
            return load(self.options.config or paths.cluster_file())
        except SparkError:
            return Inventory()

    @functools.cached_property
    def cluster(self) -> Cluster:
        """The one that is meant."""
        known = self.inventory.clusters
        name = self.options.cluster or self.inventory.default or next(iter(known), "")
        return known.get(name) or Cluster()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Head first."""
        if not self.options.demo:
            return tuple(node.name for node in self.cluster.nodes)
        count = _kept(self._state / "machines.json", "count")
        count = count if isinstance(count, int) else self.options.demo
        return tuple(f"spark-{n:02}" for n in range(1, count + 1))

    @property
    def _state(self) -> Path:
        state = paths.state_folder()
        return state / "demo" / self.options.demo_name if self.options.demo_name else state

    @property
    def clusters(self) -> tuple[str, ...]:
        """Of the inventory."""
        return tuple(self.inventory.clusters)

    @property
    def demos(self) -> tuple[str, ...]:
        """Pretend clusters that last."""
        try:
            folder = paths.state_folder() / "demo"
            return tuple(sorted(f.name for f in patiently(folder, lambda: [*folder.iterdir()]) if f.is_dir()))
        except OSError:
            return ()

    @property
    def images(self) -> tuple[str, ...]:
        """The cluster's, and those that were built, copied or launched from here."""
        return tuple(dict.fromkeys((self.cluster.image, *images_in(self._words))))

    @property
    def models(self) -> tuple[str, ...]:
        """Those that were served, copied or downloaded from here."""
        return models_in(self._words)

    @property
    def runs(self) -> tuple[str, ...]:
        """Ids, the newest first."""
        return tuple(path.stem for path in self._records)

    @functools.cached_property
    def _records(self) -> tuple[Path, ...]:
        if self.options.demo and not self.options.demo_name:
            return ()
        folder = self._state / "runs"
        try:
            found = sorted(patiently(folder, lambda: [*folder.glob("*.json")]), reverse=True)
        except OSError:
            return ()
        return tuple(islice(found, NEWEST))

    @functools.cached_property
    def _words(self) -> list[list[str]]:
        kept = (_kept(path, "words") for path in self._records)
        return [list(map(str, words)) for words in kept if isinstance(words, list)]


def _kept(path: Path, key: str) -> object:
    """What a JSON file says under that key; None where it cannot be read."""
    try:
        return json.loads(bounded_bytes(path, regular=True))[key]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def images_in(lines: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Images that these words built, copied or launched."""
    every = [list(words) for words in lines]
    tags = (_after(words, ("-t", "--tag")) for words in every)
    placed = (words[2] for words in every if words[:2] == ["image", "copy"] and _plain(words[2:3]))
    return tuple(dict.fromkeys(tag for tag in (*tags, *placed) if tag))


def models_in(lines: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Models that these words served, copied or downloaded."""
    every = [list(words) for words in lines if words]
    served = (words[1] for words in every if words[0] == "serve" and "/" in "".join(words[1:2]))
    moved = (words[2] for words in every if words[0] == "model" and _plain(words[2:3]))
    return tuple(dict.fromkeys((*served, *moved)))


def _after(words: Sequence[str], flags: Sequence[str]) -> str:
    return next((b for a, b in pairwise(words) if a in flags), "")


def _plain(words: Sequence[str]) -> bool:
    return bool(words) and not words[0].startswith("-")


def of_line(line: str) -> tuple[str, ...]:
    """Every word that the last one of a command line may become; the line begins with the program's name."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    last = words.pop() if words and not line[-1:].isspace() else ""
    return candidates(words[1:], last)


def candidates(before: Sequence[str], last: str) -> tuple[str, ...]:
    """The words that `last` may become after those before it, in the order of their likelihood."""
    known = KnownNames(_options(before))
    if "--" in before:
        return ()
    front, comma, tail = last.rpartition(",")
    found = _next(list(before), last, known)
    if comma:
        chosen = front.split(",")
        return tuple(f"{front},{w}" for w in found if w.startswith(tail) and w not in chosen)
    return tuple(dict.fromkeys(w for w in found if w.startswith(last) and w != last))


def _options(before: Sequence[str]) -> Options:
    """What was said already; a line that is only half there may be wrong."""
    for words in (before, before[:-1]):
        with contextlib.suppress(SparkError):
            return split_words(words).over(Options())
    return Options()


def _next(before: list[str], last: str, known: KnownNames) -> Iterable[str]:
    for option in GLOBALS:
        if option.waits and before[-1:] and before[-1] in option.names:
            return {"nodes": known.nodes, "cluster": known.clusters}.get(option.field, ())
    if last.startswith("--demo="):
        return tuple(f"--demo={name}" for name in known.demos)
    try:
        words = list(split_words(before).rest)
    except SparkError:
        return ()
    if not words:
        return _globals() if last.startswith("-") else registry.MODULES
    return _of_verb(words, last, known)


def _globals() -> tuple[str, ...]:
    long = (name for name in NAMES if name.startswith("--"))
    return (*dict.fromkeys(long), *(n for n in (*HELP_WORDS, *VERSION_WORDS) if not n.startswith("--")))


def _of_verb(given: list[str], last: str, known: KnownNames) -> Iterable[str]:
    first = given[0]
    if first not in registry.MODULES:
        return ()
    verbs = registry.load(first)
    words = next((tuple(given[:n]) for n in (2, 1) if tuple(given[:n]) in verbs), ())
    seconds = tuple(v[1] for v in verbs if len(v) > 1) if len(given) == 1 else ()
    if not words:
        return (*seconds, *_globals()) if last.startswith("-") else seconds
    every = fields(" ".join(words))
    if (asks := waiting(every, given[-1])) is not None:
        return names_for(words, asks, known)
    if last.startswith("-"):
        return (*(flag for f in every for flag in (*f.flags, f.negative) if flag), *_globals())
    here = place_of(every, given[len(words) :])
    return (*seconds, *(names_for(words, here, known) if here else ()))


def waiting(every: Sequence[Field], last: str) -> Field | None:
    """The parameter whose flag was said last, and that waits for its value."""
    return next((f for f in every if last in f.flags and f.kind is not FieldKind.CHECK), None)


def place_of(every: Sequence[Field], words: Sequence[str]) -> Field | None:
    """The parameter that the next word without a flag is; of `--to a b` the one that takes several."""
    flag = next((word for word in reversed(words) if word.startswith("-")), "")
    several = next((f for f in every if f.kind is FieldKind.LIST and flag in f.flags), None)
    if several is not None:
        return several
    waits = {name for f in every if f.kind is not FieldKind.CHECK for name in f.flags}
    pairs = pairwise(("", *words))
    plain = [word for before, word in pairs if not word.startswith("-") and before not in waits]
    placed = [f for f in every if f.positional]
    if placed and placed[-1].kind is FieldKind.LIST:
        return placed[min(len(plain), len(placed) - 1)]
    return placed[len(plain)] if len(plain) < len(placed) else None


def names_for(words: tuple[str, ...], field: Field, known: Names) -> tuple[str, ...]:
    """What stands for that parameter, as far as this machine knows."""
    if field.choices:
        return field.choices
    if field.name in parameters(words):
        everyone = ("all",) if field.name == ANYWHERE.get(words) and field.flags else ()
        return (*known.nodes, *everyone)
    named = _NAMES.get((words[0], field.name)) or _NAMES.get(("", field.name))
    return tuple(named(known)) if named else ()


def _faults(_: Names) -> Iterable[str]:
    from sparkconsole.demo.faults import KINDS

    return KINDS


_NAMES: dict[tuple[str, str], Callable[[Names], Iterable[str]]] = {
    ("", "tag"): lambda known: known.images,
    ("", "image"): lambda known: known.images,
    ("", "model"): lambda known: known.models,
    ("logs", "sources"): lambda known: (*_SOURCES, *known.nodes),
    ("node", "name"): lambda known: known.nodes,
    ("demo", "kind"): _faults,
    **dict.fromkeys(
        (("runs", n) for n in ("run_id", "run_ids", "first", "second")), lambda known: known.runs
    ),
    ("wait-for", "condition"): lambda _: _CONDITIONS,
    ("help", "word"): lambda _: registry.MODULES,
}
"""By the verb's first word (empty: of any verb) and the parameter."""
