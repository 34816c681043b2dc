"""The files of a model on a node, what one node lacks of another's, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from posixpath import normpath

from sparkconsole.model.text.alike import some
from sparkconsole.model.text.units import size

_NAMED = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
MARGIN_BYTES = 256 * 1000 * 1000
"""What must stay free on the receiver's disk."""


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """What a node has of a model; paths are relative to `root`."""

    root: str = ""
    home: str = ""
    free: int = 0
    writable: bool = True
    there: str = ""
    """The folder that decides about `writable`, and whose `owner` is said."""
    owner: str = ""
    user: str = ""
    revision: str = ""
    refs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    """Of the revision: sizes."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Of the revision: where they lead."""
    dangling: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Weight files that an index names, or the numbers of the other shards."""
    lacks: str = ""
    """What no model can be without."""
    partial: Mapping[str, int] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)
    """All files of the model, of whatever revision, and links to files; with blobs that all models share."""
    tied: Mapping[str, str] = field(default_factory=dict)
    """All its links."""
    unreadable: tuple[str, ...] = ()
    hashes: Mapping[str, str] = field(default_factory=dict)
    """Of every file, where they were asked for."""
    read: bool = False
    """Files beside the revision were hashed too: what has no hash was not looked at."""
    error: str = ""

    @property
    def size_bytes(self) -> int:
        """All files of the revision."""
        return sum(self.files.values())

    @property
    def present(self) -> bool:
        """There is anything of it."""
        own = [path for path in self.partial if not path.startswith("blobs/")]
        return bool(self.files or self.links or own or self.dangling)

    @property
    def damaged(self) -> tuple[str, ...]:
        """Files of the revision whose content is not what their name says."""
        named = {p: wanted for p in self.files if (wanted := named_hash(p))}
        return tuple(p for p, wanted in named.items() if self.hashes.get(p, wanted) != wanted)

    def name_of(self, path: str) -> str:
        """What the revision calls a file; a blob's own name says nothing to a person."""
        leads = (link for link, to in self.links.items() if _joined(link, to) == path)
        link = next(leads, "")
        return self.name_of(link) if link else path.rpartition("/")[2]

    @property
    def why_incomplete(self) -> str:
        """What is wrong with the revision, with names; empty when it looks whole."""
        if self.error:
            return self.error
        reasons = (
            (not self.files, "nothing of it"),
            (self.dangling, f"{_some(self.dangling)} lead to nothing"),
            (self.missing, f"{_some(self.missing)} missing"),
            (self.lacks and not self.missing, self.lacks),
            (self.unreadable, f"{self._called(self.unreadable)} may not be read by {self.user}"),
            (self.damaged, f"{self._called(self.damaged)} damaged"),
        )
        return "; ".join(text for wrong, text in reasons if wrong)

    def _called(self, paths: tuple[str, ...]) -> str:
        return _some(map(self.name_of, paths))


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """What has to go to a receiver so that it has what the sender has."""

    files: Mapping[str, int] = field(default_factory=dict)
    again: frozenset[str] = frozenset()
    """Files that are there and wrong."""
    links: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    arrived: int = 0
    """Bytes of these files that an interrupted copy left there."""

    @property
    def size_bytes(self) -> int:
        """All of it."""
        return sum(self.files.values())

    @property
    def empty(self) -> bool:
        """Nothing has to go."""
        return not (self.files or self.links or self.texts)

    @property
    def words(self) -> str:
        """In a few words."""
        text = f"{len(self.files)} file{'s' * (len(self.files) != 1)}, {size(self.size_bytes)}"
        text += f", {len(self.again)} of them because damaged" if self.again else ""
        return text + (f", {size(self.arrived)} there already" if self.arrived else "")


def named_hash(path: str) -> str:
    """The hash that a blob's name says: SHA-256, or git's SHA-1; empty for other names."""
    name = path.rpartition("/")[2]
    return name if _NAMED.fullmatch(name) else ""


def shipment(source: CheckpointFiles, target: CheckpointFiles) -> MissingFiles:
    """What the target lacks of the source's revision."""
    again = frozenset(p for p in source.files if p in target.beside and _wrong(p, source, target))
    met = _met(source, target)
    have = {p for p, n in source.files.items() if target.beside.get(p) == n} - again | {*met.values()}
    files = {p: n for p, n in source.files.items() if p not in have}
    left = (min(target.partial.get(f"{p}.incomplete", 0), n) for p, n in files.items() if p not in again)
    links = {p: to for p, to in source.links.items() if target.tied.get(p) != to and p not in met}
    texts = {p: text for p, text in source.refs.items() if target.refs.get(p) != text}
    return MissingFiles(files, again, links, texts, sum(left))


def _wrong(path: str, source: CheckpointFiles, target: CheckpointFiles) -> bool:
    found = target.hashes.get(path)
    wanted = named_hash(path) or source.hashes.get(path)
    return bool(wanted) and found != wanted and (found is not None or target.read)


def _met(source: CheckpointFiles, target: CheckpointFiles) -> Mapping[str, str]:
    """Links to shared blobs where the target has the blob itself, and what they lead to."""
    leads = {p: _joined(p, to) for p, to in source.links.items() if named_hash(p) and p not in target.tied}
    same = {p: end for p, end in leads.items() if target.beside.get(p, -1) == source.files.get(end)}
    return {p: end for p, end in same.items() if not _wrong(p, source, target)}


def _joined(link: str, to: str) -> str:
    return normpath(f"{link.rpartition('/')[0]}/{to}")


def _some(paths: Iterable[str]) -> str:
    return some([path.rpartition("/")[2] for path in paths])
