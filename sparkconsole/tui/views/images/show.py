"""Which image is on which node, as text: same content is the same image, whatever id an engine gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

from sparkconsole.fleet.store import NodeState, Reachability
from sparkconsole.model.docker import ImageIdentity, difference, same_content
from sparkconsole.model.image.build import full_name
from sparkconsole.model.image.history import built_from
from sparkconsole.model.text.units import UNKNOWN, age, binary_size
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.tui.draw.bars import named, short_names
from sparkconsole.tui.draw.columns import Column, TableRow
from sparkconsole.tui.draw.frame import SIGN_STYLES, filled, plain
from sparkconsole.tui.draw.node_state import seconds_since

NAMED = 44
"""Cells that the other columns of the matrix want."""
COUNTED = 17


class Cell(StrEnum):
    """How one node stands to one image."""

    SAME = "✔"
    OTHER = "≠"
    MISSING = "○"
    UNKNOWN = "·"


MEANINGS = {Cell.SAME: "same", Cell.OTHER: "different", Cell.MISSING: "missing", Cell.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One name, the content it has on `where`, and how the other nodes stand to that."""

    tag: str
    image: ImageIdentity
    where: str
    cells: Mapping[str, Cell]
    found: Mapping[str, ImageIdentity] = field(default_factory=dict)
    """By node, what it was last seen to have under this name."""

    @property
    def name(self) -> str:
        """Without the version that says nothing."""
        return plain(self.tag.removesuffix(":latest"))

    def nodes(self, cell: Cell) -> tuple[str, ...]:
        """The nodes that stand so."""
        return tuple(node for node, own in self.cells.items() if own is cell)


def image_rows(nodes: Iterable[NodeState], first: str = "") -> tuple[ImageRow, ...]:
    """A row per name, `first` (the cluster's image) on top.

    The content that the others are compared with is the head's, or the first node's that has the name.
    """
    every = tuple(nodes)
    tags = sorted({i.tag for n in every for i in n.images or () if _named(i.tag)})
    tags.sort(key=lambda tag: full_name(tag) != full_name(first or "-"))
    return tuple(_row(tag, every) for tag in tags)


def _named(tag: str) -> bool:
    return bool(tag) and "<none>" not in tag


def _row(tag: str, nodes: Sequence[NodeState]) -> ImageRow:
    found = {n.name: i for n in nodes for i in n.images or () if i.tag == tag}
    known = [n.name for n in nodes if n.name in found and n.reach is Reachability.UP]
    where = known[0] if known else next(iter(found))
    cells = {n.name: _cell(n, found.get(n.name), found[where]) for n in nodes}
    return ImageRow(tag, found[where], where, cells, found)


def _cell(node: NodeState, own: ImageIdentity | None, image: ImageIdentity) -> Cell:
    if node.reach is not Reachability.UP or node.images is None:
        return Cell.UNKNOWN
    if own is None:
        return Cell.MISSING
    return Cell.SAME if same_content(own, image) else Cell.OTHER


def version(image: ImageIdentity) -> str:
    """What vLLM it has, as its labels say."""
    return plain(built_from(image))


def built_age(image: ImageIdentity, now: datetime) -> str:
    """`6 d`; a dash for an image without a date."""
    seconds = seconds_since(image.created, now)
    return UNKNOWN if seconds is None else age(seconds)


def heads(names: Sequence[str], width: int) -> tuple[str, ...]:
    """A head per node for a table of `width` cells, as short as tells them apart; none: they are counted."""
    ends = [n[-2:] for n in names]
    if len(set(ends)) == len(names) and all(e.isdigit() for e in ends):
        lines = tuple(ends)
    else:
        lines = short_names(names, 8 if len(names) < 3 else 4)
    return lines if sum(len(h) + gap(lines, width) for h in lines) <= width - NAMED else ()


def gap(headings: Sequence[str], width: int) -> int:
    """Cells between two of them."""
    return 1 if len(headings) > 4 and width < 100 else 2


def columns(names: Sequence[str], width: int) -> tuple[Column, ...]:
    """The columns of the matrix: a column per node, else a sign per node, else how many have it."""
    headings = heads(names, width)
    if headings:
        between = gap(headings, width)
        wide = sum(len(h) + between for h in headings) - between
        nodes = Column("nodes", (" " * between).join(headings), width=wide)
    else:
        nodes = Column("nodes", "NODES", width=len(names) if width - len(names) > NAMED + 20 else COUNTED)
    return (
        Column("image", "IMAGE", min=12, grow=True),
        Column("content", "CONTENT", width=7),
        Column("vllm", "VLLM", min=7, max=16, drop=3),
        Column("built", "BUILT", min=5, drop=2),
        nodes,
        Column("size", "SIZE", width=9, align="right", drop=1),
    )


_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""Ages are put in order as of one day: a row that only grew older is not drawn again."""


def table_row(row: ImageRow, headings: Sequence[str], width: int, now: datetime) -> TableRow:
    """One image; `headings`: the heads of its nodes, `width`: the cells of their column."""
    image = row.image
    cells: tuple[Text | str, ...] = (
        Text(row.name, "bold"),
        image.short[:7],
        version(image) or UNKNOWN,
        built_age(image, now),
        _under(row, headings, width) if headings else marks(row, width),
        binary_size(image.size_bytes),
    )
    same, lasts = len(row.nodes(Cell.SAME)), seconds_since(image.created, _SOME_DAY)
    order = (row.tag, image.short, version(image) or None, lasts, same, image.size_bytes)
    return TableRow(row.tag, cells, order, find=f"{image.short} {row.tag}")


def _under(row: ImageRow, headings: Sequence[str], width: int) -> Text:
    """Each sign under the head of its node."""
    signs = [filled(mark(c), cell_len(h)) for c, h in zip(row.cells.values(), headings, strict=False)]
    between = (width - sum(map(cell_len, headings))) // max(1, len(headings) - 1)
    return Text(" " * between).join(signs)


def mark(cell: Cell) -> Text:
    """The sign of one node."""
    return Text(cell.value, SIGN_STYLES[cell])


def marks(row: ImageRow, width: int) -> Text:
    """A sign per node where there is room, else how many stand how."""
    if len(row.cells) <= width:
        return Text("").join([mark(c) for c in row.cells.values()])
    counts = Counter(row.cells.values())
    return Text(" ").join([Text(f"{counts[c]}{c.value}", SIGN_STYLES[c]) for c in Cell if counts[c]])


def legend(row: ImageRow, *, advice: bool = True) -> Text:
    """What stands in the chosen row, in words: `missing on spark-02 · C copies it there`."""
    parts = []
    for cell in (Cell.OTHER, Cell.MISSING, Cell.UNKNOWN):
        if nodes := row.nodes(cell):
            parts.append(Text(f"{cell.value} {MEANINGS[cell]} on {named(nodes)}", SIGN_STYLES[cell]))
    lacks = any(row.nodes(cell) for cell in (Cell.OTHER, Cell.MISSING))
    if not parts:
        count = len(row.cells)
        text = f"same on all {count} nodes" if count > 1 else f"on {plain(row.where)}"
        parts = [Text(f"{Cell.SAME.value} {text}", SIGN_STYLES[Cell.SAME])]
    if advice and not row.nodes(Cell.UNKNOWN):
        parts.append(Text("C copies it there" if lacks else "4 ^j launches it", "$key"))
    return Text("  ", no_wrap=True, end="").join(parts)


def matrix_state(nodes: Sequence[NodeState]) -> str:
    """What stands in the place of rows: nothing was asked yet, nobody can be asked, or there is none."""
    lost = [n for n in nodes if n.reach is Reachability.LOST]
    asked = [n for n in nodes if n.reach is Reachability.UP and n.images is not None]
    if not nodes:
        return "No nodes yet. Add one with :node add NAME ADDRESS"
    if not asked and len(lost) < len(nodes):
        return "Asking the nodes for their images …"
    if not asked:
        return "No node answers, so the images are unknown."
    some = "" if len(asked) == len(nodes) else f" ({len(asked)} asked)"
    return f"No images yet: B builds one with the form below.{some}"


def lost_line(nodes: Sequence[NodeState]) -> Text | None:
    """Who could not be asked, and why."""
    lost = [n for n in nodes if n.reach is Reachability.LOST or n.docker_error]
    if not lost:
        return None
    names, why = named([n.name for n in lost]), lost[0].reason or lost[0].docker_error or "lost"
    return Text(f"✖ {names} unknown: {plain(why)}", "$node-lost", no_wrap=True, end="")


def details(row: ImageRow, now: datetime) -> Answer:
    """Everything that is known of the image: where it is, its labels, its layers."""
    image = row.image
    facts = [
        ("name", row.tag),
        ("content", image.short),
        ("vLLM", version(image) or None),
        ("built", f"{image.created or '?'} ({built_age(image, now)} ago)"),
        ("size", binary_size(image.size_bytes)),
        ("platform", image.platform),
        ("configuration", image.config_digest[:24]),
        ("layers", len(image.layers)),
    ]
    ids = {n: own.id.removeprefix("sha256:")[:19] for n, own in row.found.items()}
    where = [(n, f"{c.value} {MEANINGS[c]}", ids.get(n)) for n, c in row.cells.items()]
    labels = sorted(image.labels.items())
    layers = [(number, digest) for number, digest in enumerate(image.layers, 1)]
    sheets = [Sheet.of(("", "image"), facts), Sheet.of(("node", "status", "engine id"), where)]
    sheets += [Sheet.of(("label", "value"), labels)] if labels else []
    return Answer({}, (*sheets, Sheet.of(("layer", "digest"), layers)))


def differences(row: ImageRow) -> Answer:
    """In what each other content differs, layer by layer; a sentence when none does."""
    others = row.nodes(Cell.OTHER)
    if not others:
        how = legend(row, advice=False).plain.strip()
        return Answer({}, (f"{row.name}: {how}; no two nodes have different content",))
    parts: list[Sheet | str] = [f"compared with {row.where}, content {row.image.short}"]
    for node in others:
        other = row.found[node]
        parts.append(f"{node}: content {other.short}: {difference(row.image, other)}")
        parts.append(Sheet.of(("layer", row.where, node), _unlike(row.image, other)))
        if labels := _unlike_labels(row.image, other):
            parts.append(Sheet.of(("label", row.where, node), labels))
    return Answer({}, tuple(parts))


def _unlike(one: ImageIdentity, other: ImageIdentity) -> list[tuple[object, ...]]:
    pairs = enumerate(zip_longest(one.layers, other.layers), 1)
    rows: list[tuple[object, ...]] = [(n, _cut(a), _cut(b)) for n, (a, b) in pairs if a != b]
    return rows or [("configuration", one.config_digest[:19], other.config_digest[:19])]


def _cut(digest: str | None) -> str | None:
    return digest.removeprefix("sha256:")[:19] if digest else None


def _unlike_labels(one: ImageIdentity, other: ImageIdentity) -> list[tuple[object, ...]]:
    names = sorted({*one.labels, *other.labels})
    rows: list[tuple[object, ...]] = [(n, one.labels.get(n), other.labels.get(n)) for n in names]
    return [row for row in rows if row[1] != row[2]]
