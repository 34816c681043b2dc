"""What a prune takes away and why everything else stays; decided by content, for the whole cluster at once.

What a name means anywhere, and what a container anywhere uses, stays on every node.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sparkconsole.errors import WrongUsage
from sparkconsole.model.docker import Container, DiskUsage, ImageIdentity
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.history import build_date, in_time
from sparkconsole.model.work.plan import Step

CHECKPOINT_LABEL = "org.sparkconsole.checkpoint"
"""On the nameless image that holds what arrived of an interrupted copy; its value is the copy's name."""
_OURS = "org.sparkconsole."
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_REMOVAL_S = 900.0
"""Tens of gigabytes go file by file."""

Content = tuple[str, tuple[str, ...], str]


class ImageKind(StrEnum):
    """What an image is to the name that is pruned."""

    NAME = "name"
    BUILD = "build"
    NAMELESS = "nameless"
    CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants gone."""

    tag: str
    keep: int = 3
    """The newest builds that stay."""
    dangling: bool | None = None
    """Nameless images: all of them, none, or (None) those that a recipe of ours built."""
    until: str = "72h"
    """Build cache that no build used for so long, as docker takes it; empty: the cache stays."""


@dataclass(frozen=True, slots=True)
class NodeImages:
    """What one node has."""

    images: tuple[ImageIdentity, ...]
    """Once per tag; those without a name have none."""
    containers: tuple[Container, ...] = ()
    usage: DiskUsage | None = None
    """None: its engine could not say."""
    why_no_usage: str = ""


@dataclass(frozen=True, slots=True)
class PruneEntry:
    """One content under one name, the nodes that have it, and what becomes of it."""

    kind: ImageKind
    tag: str
    image: ImageIdentity
    on: Mapping[str, ImageIdentity]
    goes: bool
    why: str

    def label(self, name: str) -> str:
        """How people call it among the images of that name."""
        known = {ImageKind.NAME: name, ImageKind.BUILD: self.tag}
        return known.get(self.kind) or f"{self.kind.value} {self.image.short}"

    def as_data(self) -> dict[str, Any]:
        """As JSON gives it."""
        ids = {node: image.id for node, image in self.on.items()}
        data = {"kind": self.kind.value, "name": self.tag, "goes": self.goes, "why": self.why}
        return {**data, **self.image.as_data(), "ids": ids}


@dataclass(frozen=True, slots=True)
class Cut:
    """One removal on one node."""

    step: Step
    label: str
    image: ImageIdentity | None = None
    """None: it is the build cache."""

    def left(self, held: NodeImages) -> bool:
        """It is still there. What the builder keeps of its old cache, younger steps are built on."""
        if self.image is None:
            return False
        return any(_same_entry(self.image, other) for other in held.images)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of everything."""

    wish: Wish
    entries: tuple[PruneEntry, ...]
    cache: Mapping[str, int] = field(default_factory=dict)
    """Bytes of build cache that go, by node; nodes without any are not named."""

    def why(self, node: str, image: ImageIdentity | None) -> str:
        """What is said of that image on that node now; empty: it is not there."""
        found = (e for e in self.entries if image and node in e.on and _same_entry(image, e.on[node]))
        return next((e.why for e in found), "")


def _same_entry(one: ImageIdentity, other: ImageIdentity) -> bool:
    """The same name; where there is none, the same image, whatever it is called by now."""
    return one.tag == other.tag if one.tag else one.id == other.id


# --- what is asked for


def cache_age(word: str) -> str:
    """`72h`, `3d`, `90m` as docker takes it; empty for `none`. WrongUsage for anything else."""
    if word == "none":
        return ""
    if not re.fullmatch(r"(\d{1,9}[dhms])+", word):
        raise WrongUsage(f"--cache-until {word!r} is no duration", hint="72h, 3d, 90m, or none")
    return re.sub(r"(\d{1,9})d", lambda days: f"{int(days[1]) * 24}h", word)


def seconds(duration: str) -> float:
    """What `cache_age` gave, in seconds."""
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d{1,12})([dhms])", duration))


# --- what becomes of it


def decide(wish: Wish, nodes: Mapping[str, NodeImages], now: datetime) -> Decision:
    """Everything that is there of the name, and what becomes of it."""
    found = _grouped(wish.tag, nodes)
    kept = dict(_reasons(wish, nodes, found))
    going = {image.content for kind, image, _ in found if kind is ImageKind.BUILD} - set(kept)
    entries = [
        PruneEntry(kind, image.tag, image, on, *_fate(wish, kind, image, kept.get(image.content, ""), going))
        for kind, image, on in found
    ]
    usages = {node: held.usage for node, held in nodes.items() if held.usage and wish.until}
    old = {node: usage.old_cache(now, seconds(wish.until)) for node, usage in usages.items()}
    return Decision(wish, tuple(entries), {node: count for node, count in old.items() if count})


Group = tuple[ImageKind, ImageIdentity, Mapping[str, ImageIdentity]]


def _grouped(tag: str, nodes: Mapping[str, NodeImages]) -> list[Group]:
    """The plain name, its builds (newest first), then what has no name."""
    groups: dict[tuple[ImageKind, str, Content], dict[str, ImageIdentity]] = {}
    for node, held in nodes.items():
        for image in held.images:
            if (kind := _kind(tag, image)) is not None:
                groups.setdefault((kind, image.tag, image.content), {})[node] = image
    found = [(kind, next(iter(on.values())), on) for (kind, _, _), on in groups.items()]
    newest = sorted(found, key=lambda g: in_time(build_date(tag, g[1].tag)) or g[1].created, reverse=True)
    return sorted(newest, key=lambda g: list(ImageKind).index(g[0]))


def _kind(tag: str, image: ImageIdentity) -> ImageKind | None:
    """None: it is another name's."""
    if full_name(image.tag) == full_name(tag):
        return ImageKind.NAME
    if image.tag:
        return ImageKind.BUILD if build_date(tag, image.tag) else None
    label = image.labels.get(CHECKPOINT_LABEL)
    if label is None:
        return ImageKind.NAMELESS
    return ImageKind.CHECKPOINT if full_name(label) == full_name(tag) else None


def _reasons(
    wish: Wish, nodes: Mapping[str, NodeImages], found: Sequence[Group]
) -> list[tuple[Content, str]]:
    """Contents that stay and why; what is said last of one is what counts."""
    builds = dict.fromkeys(image.content for kind, image, _ in found if kind is ImageKind.BUILD)
    newest = [(c, f"{'one of ' * (wish.keep > 1)}{_newest(wish.keep)}") for c in list(builds)[: wish.keep]]
    return [*_used(nodes), *newest, *_named(wish.tag, nodes)]


def _newest(keep: int) -> str:
    return f"the newest {keep} builds" if keep != 1 else "the newest build"


def _named(tag: str, nodes: Mapping[str, NodeImages]) -> Iterator[tuple[Content, str]]:
    """What names mean, the plain name's last; a build's date is no reason to keep it."""
    images = [i for held in nodes.values() for i in held.images if i.tag and not build_date(tag, i.tag)]
    for image in sorted(images, key=lambda i: full_name(i.tag) == full_name(tag)):
        yield image.content, f"{image.tag} means it"


def _used(nodes: Mapping[str, NodeImages]) -> Iterator[tuple[Content, str]]:
    for node, held in nodes.items():
        for container in held.containers:
            for image in held.images:
                if _uses(container, image):
                    yield image.content, f"the container {container.name} on {node} uses it"


def _uses(container: Container, image: ImageIdentity) -> bool:
    """By its id, or by the name or short id that it was started from: better one too many."""
    short = container.image.removeprefix("sha256:")
    by_id = len(short) >= 12 and image.id.removeprefix("sha256:").startswith(short)
    by_name = bool(image.tag) and full_name(image.tag) == full_name(container.image)
    return container.image_id == image.id or by_name or by_id


def _fate(
    wish: Wish, kind: ImageKind, image: ImageIdentity, kept: str, going: Collection[Content]
) -> tuple[bool, str]:
    """Whether it goes, and why or why not."""
    older = f"older than {_newest(wish.keep)}" if wish.keep else "no build is kept"
    earlier = image.content in going or any(label.startswith(_OURS) for label in image.labels)
    cases = (
        (kind is ImageKind.NAME, False, "what the name means"),
        (kept, False, kept),
        (kind is ImageKind.BUILD, True, older),
        (wish.dangling, True, "no name means it"),
        (kind is ImageKind.CHECKPOINT, False, "a copy goes on from what arrived; --dangling removes it"),
        (wish.dangling is None and earlier, True, "an earlier build that no name means"),
        (True, False, "it has no name; --dangling removes it"),
    )
    return next((goes, why) for is_so, goes, why in cases if is_so)


# --- what is done about it


def cuts(decision: Decision, nodes: Iterable[str]) -> tuple[Cut, ...]:
    """The exact commands, node by node; nothing is ever forced."""
    return tuple(cut for node in nodes for cut in _of_node(decision, node))


def _of_node(decision: Decision, node: str) -> Iterator[Cut]:
    going = [e for e in decision.entries if e.goes and node in e.on]
    for number, entry in enumerate(going, 1):
        image, label = entry.on[node], entry.label(decision.wish.tag)
        argv = ("docker", "rmi", image.tag) if image.tag else ("docker", "image", "rm", image.id)
        step = Step(f"{node}:{number}", node, f"remove {label}: {entry.why}", argv, timeout_s=_REMOVAL_S)
        yield Cut(step, label, image)
    if node in decision.cache:
        until = decision.wish.until
        prune = ("docker", "builder", "prune", "--force", "--filter", f"until={until}")
        sentence = f"remove build cache that no build used for {until}"
        yield Cut(Step(f"{node}:cache", node, sentence, prune, timeout_s=_REMOVAL_S), "build cache")
