"""Who has what, as tables: builds by node with what becomes of them, and what engines take up on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sparkconsole.model.docker import DiskUsage, ImageIdentity
from sparkconsole.model.image.build import age
from sparkconsole.model.image.history import build_date
from sparkconsole.model.image.prune import Decision
from sparkconsole.model.text.units import size
from sparkconsole.model.work.answer import Sheet

COLUMNS = 4
"""Nodes that get a column each; more are counted and named."""
HAS, LACKS, UNKNOWN = "✔", "○", "unknown"


def matrix(decision: Decision, nodes: Sequence[str], unknown: Sequence[str], now: datetime) -> Sheet:
    """A row per build and nameless image, a column per node; `unknown` nodes could not be asked."""
    name = decision.wish.tag
    # A build's date says enough below its name.
    rows: list[tuple[str | None, ...]] = [
        (build_date(name, e.tag) or e.label(name), *_age_and_size(e.image, now),
         *_cells(dict.fromkeys(e.on, HAS), nodes, unknown), f"{'goes' if e.goes else 'stays'}: {e.why}")
        for e in decision.entries
    ]  # fmt: skip
    if decision.cache:
        sizes = {node: size(count) for node, count in decision.cache.items()}
        why = f"goes: no build used it for {decision.wish.until}"
        total = size(sum(decision.cache.values()))
        rows.append(("build cache", None, total, *_cells(sizes, nodes, unknown), why))
    heads = tuple(nodes) if len(nodes) <= COLUMNS else ("nodes",)
    return Sheet.of(("image", "age", "size", *heads, "stays or goes"), rows)


def _age_and_size(image: ImageIdentity, now: datetime) -> tuple[str, str]:
    if image.foreseen:
        return "not built", UNKNOWN
    return age(image.created, now), size(image.size_bytes)


def _cells(values: Mapping[str, str], nodes: Sequence[str], unknown: Sequence[str]) -> tuple[str, ...]:
    cells = {n: UNKNOWN if n in unknown else values.get(n, LACKS) for n in nodes}
    return tuple(cells.values()) if len(nodes) <= COLUMNS else (_counted(list(values), nodes),)


def _counted(have: Sequence[str], nodes: Sequence[str]) -> str:
    if len(have) == len(nodes):
        return f"all {len(nodes)}"
    named = ", ".join(have[:COLUMNS]) + (" …" if len(have) > COLUMNS else "")
    return f"{len(have)} of {len(nodes)}: {named}" if have else f"none of {len(nodes)}"


def usage_cells(usage: DiskUsage | None) -> tuple[str, str, str]:
    """Images, build cache, free."""
    if usage is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    free = UNKNOWN if usage.free_bytes is None else size(usage.free_bytes)
    return size(usage.images_bytes), size(usage.cache_bytes), free


def usage_sheet(usages: Mapping[str, DiskUsage | None]) -> Sheet:
    """A line per node."""
    rows = [(node, *usage_cells(usage)) for node, usage in usages.items()]
    return Sheet.of(("node", "images", "build cache", "free"), rows, "docker's disk")
