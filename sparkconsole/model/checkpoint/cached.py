"""Models in the nodes' Hugging Face caches: what is there, whole or not, and which every node has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CachedModel:
    """One model in one node's cache, as far as its folder tells without reading the weights."""

    name: str
    """`owner/name`, as the hub calls it."""
    snapshot: str = ""
    """The commit that `main` stands for, else the newest one there; empty: there is none."""
    dangling: tuple[str, ...] = ()
    """Files of the snapshot that point to nothing."""
    missing: tuple[str, ...] = ()
    """Weight files that an index names, or the numbers of the other shards."""
    unfinished: int = 0
    """Downloads and copies that did not end."""
    weights: bool = False
    config: bool = False
    size_bytes: int | None = None
    error: str = ""
    """Why it could not be looked into."""

    @property
    def why_incomplete(self) -> str:
        """What is missing; empty for a model that looks whole."""
        if self.error:
            return self.error
        astray = tuple(name for name in self.dangling if name not in self.missing)
        reasons = (
            (not self.snapshot, "no snapshot"),
            (self.unfinished > 0, f"{self.unfinished} unfinished"),
            (self.dangling, f"{_counted(self.dangling, 'link')} to nothing{_names(astray)}"),
            (self.missing, f"{_counted(self.missing, 'weight file')} missing{_names(self.missing)}"),
            (bool(self.snapshot) and not self.config, "no config.json"),
            (bool(self.snapshot) and not self.weights, "no weights"),
        )
        return ", ".join(text for wrong, text in reasons if wrong)

    @property
    def complete(self) -> bool:
        """Nothing is seen to be missing."""
        return not self.why_incomplete


@dataclass(frozen=True, slots=True)
class ModelPresence:
    """One model across the nodes that answered."""

    name: str
    complete: tuple[str, ...]
    incomplete: Mapping[str, str]
    """Why, by node."""
    missing: tuple[str, ...]
    size_bytes: int | None = None
    snapshots: tuple[str, ...] = ()
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    """Bytes by node."""

    @property
    def everywhere(self) -> bool:
        """Every node that answered has it whole, and the same commit of it."""
        return not self.incomplete and not self.missing and len(self.snapshots) == 1

    @property
    def summary(self) -> str:
        """In a few words."""
        if self.everywhere:
            return "on all nodes"
        parts = [f"not on {_some(self.missing)}"] if self.missing else []
        for why in dict.fromkeys(self.incomplete.values()):
            where = tuple(node for node, text in self.incomplete.items() if text == why)
            parts.append(f"incomplete on {_some(where)}: {why}")
        parts += [f"{len(self.snapshots)} different snapshots"] if len(self.snapshots) > 1 else []
        return "; ".join(parts)


def _counted(names: tuple[str, ...], noun: str) -> str:
    return f"{len(names)} {noun}{'s' * (len(names) != 1)}"


def _names(names: tuple[str, ...]) -> str:
    """The first three."""
    return f" ({', '.join(names[:3])}{', …' * (len(names) > 3)})" if names else ""


def presences(found: Mapping[str, Sequence[CachedModel]]) -> tuple[ModelPresence, ...]:
    """Every model that some node has; those that all nodes have come first, then by name."""
    names = sorted({model.name for models in found.values() for model in models})
    by_node = {node: {model.name: model for model in models} for node, models in found.items()}
    every = [_presence(name, {n: models.get(name) for n, models in by_node.items()}) for name in names]
    return tuple(sorted(every, key=lambda p: (not p.everywhere, p.name.lower())))


def _some(nodes: Sequence[str]) -> str:
    """Up to four names, then how many more."""
    return ", ".join(nodes) if len(nodes) <= 4 else f"{', '.join(nodes[:3])} and {len(nodes) - 3} more"


def _presence(name: str, by_node: Mapping[str, CachedModel | None]) -> ModelPresence:
    there = {node: model for node, model in by_node.items() if model is not None}
    return ModelPresence(
        name,
        complete=tuple(n for n, m in there.items() if m.complete),
        incomplete={n: m.why_incomplete for n, m in there.items() if not m.complete},
        missing=tuple(n for n, m in by_node.items() if m is None),
        size_bytes=max((m.size_bytes for m in there.values() if m.size_bytes is not None), default=None),
        snapshots=tuple(sorted({m.snapshot for m in there.values() if m.complete})),
        sizes={n: m.size_bytes for n, m in there.items()},
    )
