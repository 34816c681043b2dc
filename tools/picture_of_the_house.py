#!/usr/bin/env python3
"""Draws docs/house.svg: floors as rows, rooms as boxes, and which floor imports which.

    picture_of_the_house.py      writes the picture
    picture_of_the_house.py -    prints it

Everything in it is read from the sources and from the import contract in pyproject.toml, by the standard
library alone: the same tree gives the same bytes. It counts modules and not imports, so that it changes only
when a module comes, goes or moves, or when a floor imports one more.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "sparkconsole"
PICTURE = ROOT / "docs" / "house.svg"

CAPABILITIES = (
    "node",
    "fabric",
    "image",
    "checkpoint",
    "transfer",
    "launch",
    "serve",
    "bench",
    "logs",
    "diagnose",
    "runs",
)
"""The columns: the rooms that several floors have."""
SAME_ROOM = {"model": "checkpoint", "images": "image", "doctor": "diagnose"}
"""Verbs and views are called as a person says it; the room is the same."""
UNFOLDED = {"tui": "views"}
"""A folder of rooms within a floor."""

LEFT, COLUMN, BOX, GAP, LANE, BARE = 112, 78, 34, 6, 26, 42
INK, SOFT, LINE = "#1f2933", "#52606d", "#9aa5b1"
FLOOR, ROOM, OTHER = "#f5f7fa", "#d9e8f6", "#e4e7eb"


def sources() -> dict[str, Path]:
    """Every module by its dotted name; a package by its own name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[dotted.removesuffix(".__init__")] = path
    return found


def imported(text: str, known: Mapping[str, Path]) -> Iterator[str]:
    """Modules of the house that a source imports anywhere in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def floor_of(module: str) -> str:
    """The first name behind the package's own; empty for the package itself."""
    return module.split(".")[1] if module.startswith(f"{PACKAGE}.") else ""


def floor_imports(known: Mapping[str, Path]) -> dict[str, set[str]]:
    """By floor: the floors that it imports."""
    floors: dict[str, set[str]] = {floor_of(name): set() for name in known}
    for name, path in known.items():
        below = {floor_of(module) for module in imported(path.read_text(encoding="utf-8"), known)}
        floors[floor_of(name)] |= below - {floor_of(name), ""}
    return {name: floors[name] for name in floors if name not in ("", "__main__")}


def layers() -> list[list[str]]:
    """The layers of the contract, highest first; floors beside each other share one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    wanted = next(c["layers"] for c in contracts["contracts"] if c["type"] == "layers")
    return [[floor_of(name.strip()) for name in layer.split("|")] for layer in wanted]


def in_order(imports: Mapping[str, set[str]]) -> list[str]:
    """Floors from the roof down: as the contract has them; the others right above what they import."""
    order = [name for layer in layers() for name in layer]
    for name in sorted(imports.keys() - set(order)):
        places = [order.index(below) for below in imports[name] if below in order]
        order.insert(min(places, default=len(order)), name)
    return order


def rooms_of(floor: str, known: Mapping[str, Path]) -> Counter[str]:
    """Modules by room; those on the floor itself under the empty name."""
    rooms: Counter[str] = Counter()
    for name, path in known.items():
        if floor_of(name) != floor or path.stem in ("__init__", "__main__"):
            continue
        inner = name.split(".")[2:-1]
        if inner and inner[0] == UNFOLDED.get(floor) and len(inner) > 1:
            rooms["/".join(inner[:2])] += 1
        else:
            rooms[inner[0] if inner else ""] += 1
    return rooms


def column_of(room: str) -> int | None:
    """Where a room stands; None: it is this floor's alone."""
    name = room.rpartition("/")[2]
    name = SAME_ROOM.get(name, name)
    return CAPABILITIES.index(name) if name in CAPABILITIES else None


def text(x: float, y: float, said: str, *, size: int = 12, fill: str = INK, more: str = "") -> str:
    """One line of text."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}"{more}>{escape(said)}</text>'


MIDDLE = ' text-anchor="middle"'


def box(x: float, y: float, width: float, name: str, count: int, fill: str) -> list[str]:
    """A room: its name, and how many modules it has."""
    middle = x + width / 2
    return [
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{BOX}" rx="4" fill="{fill}" stroke="{LINE}"/>',
        text(middle, y + 15, name, more=MIDDLE),
        text(middle, y + 28, str(count), size=10, fill=SOFT, more=MIDDLE),
    ]


def row(rooms: Mapping[str, int], top: float) -> tuple[list[str], float]:
    """The boxes of a floor below `top`, and how high the floor is: shared rooms first, its own below them."""
    if set(rooms) <= {""}:
        return [], BARE
    drawn: list[str] = []
    shared = {column: room for room in sorted(rooms) if (column := column_of(room)) is not None}
    own = sorted(room for room in rooms if room and column_of(room) is None)
    y = top + GAP
    for column, room in sorted(shared.items()):
        drawn += box(LEFT + column * COLUMN, y, COLUMN - GAP, room.rpartition("/")[2], rooms[room], ROOM)
    if shared:
        y += BOX + GAP
    x = float(LEFT)
    for room in [*([""] if rooms.get("") else []), *own]:
        name = room or "on the floor itself"
        width = max(COLUMN - GAP, 7 * len(name) + 14)
        if x + width > LEFT + len(CAPABILITIES) * COLUMN:
            x, y = float(LEFT), y + BOX + GAP
        drawn += box(x, y, width, name, rooms[room], OTHER if room else "#ffffff")
        x += width + GAP
    return drawn, y + (BOX + GAP if x > LEFT else 0) - top


def picture() -> str:
    """The whole SVG."""
    known = sources()
    imports = floor_imports(known)
    order = in_order(imports)
    edge = LEFT + len(CAPABILITIES) * COLUMN
    targets = [name for name in order if any(name in imports[other] for other in order)]
    lanes = {name: edge + 24 + LANE * place for place, name in enumerate(targets)}
    width = edge + 24 + LANE * len(targets)

    drawn: list[str] = []
    y, middles = 58.0, {}
    for name in order:
        rooms = rooms_of(name, known) or Counter({"": 1})
        boxes, height = row(rooms, y)
        drawn.append(
            f'<rect x="6" y="{y:g}" width="{edge - 6}" height="{height:g}" rx="6" fill="{FLOOR}" '
            f'stroke="{LINE}"/>'
        )
        drawn.append(text(16, y + height / 2 - 1, name, size=15, more=' font-weight="bold"'))
        drawn.append(text(16, y + height / 2 + 13, _modules(sum(rooms.values())), size=10, fill=SOFT))
        drawn += boxes
        middles[name] = y + height / 2
        y += height + GAP

    drawn += arrows(order, imports, lanes, middles, edge)
    title = f"{sum(1 for path in known.values() if path.stem not in ('__init__', '__main__'))} modules on "
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y + 4:g}" width="{width:g}" '
        f'height="{y + 4:g}" font-family="DejaVu Sans, Verdana, Arial, sans-serif">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto"><path d="M0 0 8 4 0 8z" fill="{SOFT}"/></marker></defs>',
        f'<rect width="{width:g}" height="{y + 4:g}" fill="#ffffff"/>',
        text(8, 22, "The house: floors and rooms", size=16, more=' font-weight="bold"'),
        text(
            8, 42, f"{title}{len(order)} floors; a number is how many modules a room has; blue rooms "
            "have the same name, or the same subject, on several floors", size=11, fill=SOFT,
        ),
        text(width - 8, 22, "imports", size=12, fill=SOFT, more=' text-anchor="end"'),
        text(width - 8, 40, "a dot imports what its line's arrow points at", size=10, fill=SOFT,
             more=' text-anchor="end"'),
    ]  # fmt: skip
    return "\n".join([*head, *drawn, "</svg>", ""])


def _modules(count: int) -> str:
    return "1 module" if count == 1 else f"{count} modules"


def arrows(
    order: list[str],
    imports: Mapping[str, set[str]],
    lanes: Mapping[str, float],
    middles: Mapping[str, float],
    edge: float,
) -> list[str]:
    """A line for each imported floor: a dot at every floor that imports it, its arrow at the floor itself."""
    drawn = []
    for name in order:
        if below := [lanes[other] for other in imports[name]]:
            y = middles[name] - 7
            drawn.append(f'<path d="M{edge:g} {y:g}H{max(below):g}" stroke="{LINE}" fill="none"/>')
    for target, x in lanes.items():
        above = [middles[name] - 7 for name in order if target in imports[name]]
        y = middles[target] + 5
        drawn.append(
            f'<path d="M{x:g} {min(*above, y):g}V{y:g}H{edge + 2:g}" stroke="{SOFT}" stroke-width="1.4" '
            'fill="none" marker-end="url(#tip)"/>'
        )
        drawn += [f'<circle cx="{x:g}" cy="{at:g}" r="3.4" fill="{INK}"/>' for at in above]
        drawn.append(text(x, y + 12, target, size=9, fill=SOFT, more=MIDDLE))
    return drawn


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(picture())
    else:
        PICTURE.write_text(picture(), encoding="utf-8")
