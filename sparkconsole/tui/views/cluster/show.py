"""The Cluster view without its widgets: where each pane stands, the heat, the events, the empty state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from rich.text import Text

from sparkconsole.fleet.store import Event, NodeState, Reachability, Store
from sparkconsole.tui.draw import node_state as of
from sparkconsole.tui.draw.charts import heat_grid, heat_strip
from sparkconsole.tui.draw.frame import filled, joined_cells, plain, styled
from sparkconsole.tui.draw.node_state import DrawContext

CARD_WIDTH = 38
"""A card is at least that wide; its frame included."""
CARD_LEAST, CARD_MOST, CARD_ALONE = 4, 12, 18
"""Lines of a card, its frame included; the last one where there is one row of them."""
SERVE, EVENTS, PROBLEM = 4, 4, 1
TALL, HUGE = 30, 160
GRID = 16
"""From so many nodes on a heat strip says more than rows that must be scrolled."""

Place = tuple[int, int, int, int]
"""x, y, width, height."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Which panes there are and where; `cards` per row, 0 for the table."""

    cards: int
    card_width: int = 0
    card_height: int = 0
    panes: Mapping[str, Place] = field(default_factory=dict)


def arrange(width: int, height: int, nodes: int, forced: str = "") -> Arrangement:
    """`forced`: `cards` or `table`, what the person chose for the session."""
    if nodes == 0:
        return Arrangement(0, panes={"empty": (0, 0, width, height)})
    # All cards, the served model and some events, without scrolling.
    least = -(-nodes // max(1, width // CARD_WIDTH)) * CARD_LEAST + SERVE + EVENTS + PROBLEM
    if forced != "cards" and (forced == "table" or least > height):
        return _table(width, height, nodes)
    placed = _three_columns if width >= HUGE - 2 and nodes <= 2 else _cards
    return placed(width, height, nodes)


def cards_in_row(width: int, height: int, nodes: int) -> int:
    """As few gaps as possible, then as many lines a card as possible, then as few rows as possible."""

    def merit(columns: int) -> tuple[bool, int, int, int]:
        rows = -(-nodes // columns)
        lines = min(height // rows, CARD_MOST)
        return lines >= 6, -(rows * columns - nodes), lines, columns

    return max(range(1, max(1, min(nodes, width // CARD_WIDTH)) + 1), key=merit)


def _cards(width: int, height: int, nodes: int) -> Arrangement:
    below = SERVE + (EVENTS if height < TALL else 8) + PROBLEM
    columns = cards_in_row(width, max(CARD_LEAST, height - below), nodes)
    rows = -(-nodes // columns)
    each = min(CARD_MOST if rows > 1 else CARD_ALONE, max(CARD_LEAST, (height - below) // rows))
    if height < TALL:
        each = min(each, 9 if nodes > 1 else 8)
    board = min(rows * each, max(CARD_LEAST, height - SERVE - PROBLEM))
    panes = {"board": (0, 0, width, board), **_below(width, board, height, nodes)}
    bar = 1 if rows * each > board else 0
    return Arrangement(columns, (width - bar) // columns, each, panes)


def _below(width: int, top: int, height: int, nodes: int) -> dict[str, Place]:
    """Under the board: the served model, events, the log, and the line with what is wrong."""
    last = height - PROBLEM
    if width >= HUGE - 2 and last - top >= 10:
        left = width * 2 // 5
        serve = min(14, max(SERVE, (last - top) // 2))
        return {
            "serve": (0, top, left, serve),
            "events": (0, top + serve, left, last - top - serve),
            "log": (left, top, width - left, last - top),
            "problem": (0, last, width, PROBLEM),
        }
    panes = {"serve": (0, top, width, SERVE), "problem": (0, last, width, PROBLEM)}
    room, y = last - top - SERVE, top + SERVE
    if height >= TALL and room >= 12:
        events = max(5, room // 3)
        return {**panes, "events": (0, y, width, events), "log": (0, y + events, width, room - events)}
    if room >= 3:
        panes["log" if nodes == 1 else "events"] = (0, y, width, room)
    return panes


def _three_columns(width: int, height: int, nodes: int) -> Arrangement:
    cards, serve = width // 3, width * 3 // 10
    last = height - PROBLEM
    each = min(24, last // nodes)
    upper = min(22, last // 2)
    panes: dict[str, Place] = {
        "board": (0, 0, cards, each * nodes),
        "serve": (cards, 0, serve, upper),
        "events": (cards, upper, serve, last - upper),
        "log": (cards + serve, 0, width - cards - serve, last),
        "problem": (0, last, width, PROBLEM),
    }
    if (left := last - each * nodes) >= 5:
        panes["chart"] = (0, each * nodes, cards, left)
    return Arrangement(1, cards, each, panes)


def _table(width: int, height: int, nodes: int) -> Arrangement:
    last = height - PROBLEM
    if width >= HUGE - 2 and height >= TALL - 5:
        return Arrangement(0, panes=_table_and_side(width, last, nodes))
    strip = 1 if nodes > 1 else 0
    room = last - strip
    rows = min(nodes, room - 1 - 3) if nodes >= GRID else min(nodes, room - 1 - SERVE)
    used = 1 + rows
    panes: dict[str, Place] = {
        "head": (0, 0, width, 1),
        "board": (0, 1, width, rows),
        "problem": (0, last, width, PROBLEM),
    }
    if strip:
        panes["heat"] = (0, last - 1, width, 1)
    left = room - used
    if left >= 3:
        panes["serve"] = (0, used, width, lines := min(left, SERVE))
        used, left = used + lines, left - lines
    if left >= 3:
        panes["events"] = (0, used, width, left)
    return Arrangement(0, panes=panes)


def _table_and_side(width: int, last: int, nodes: int) -> dict[str, Place]:
    side = 52
    table = width - side
    grid = -(-nodes // (8 if nodes <= 64 else 16)) + 2
    serve = 12 if last - grid >= 26 else SERVE
    return {
        "head": (0, 0, table, 1),
        "board": (0, 1, table, last - 1),
        "grid": (table, 0, side, grid),
        "serve": (table, grid, side, serve),
        "events": (table, grid + serve, side, last - grid - serve),
        "problem": (0, last, width, PROBLEM),
    }


def next_step(store: Store, context: DrawContext) -> str:
    """What leads to a served model from here; a lost head is why nobody knows."""
    nodes = tuple(store.nodes.values())
    lost = next((n.name for n in nodes if n.head and n.reach is Reachability.LOST), "")
    if lost:
        return f"the head, {plain(lost)}, does not answer"
    known = [n for n in nodes if n.images is not None]
    if known and not any(of.own_image(n, context) for n in known):
        return "no node has the image: 3, then B builds it and C copies it to the others"
    boxes = [of.own_container(n, context.container) for n in nodes if n.containers is not None]
    if boxes and not any(box and box.running for box in boxes):
        return "no container runs: U brings the cluster up (4 shows each step)"
    return "5 chooses a model and starts it"


# --- heat


def heat_line(states: Sequence[NodeState], width: int) -> Text:
    """` heat ████▇▇██  GPU%`, a cell a node."""
    values, lost = _heat(states)
    strip = heat_strip(values, width - 16, lost=lost)
    return Text("   heat  ", "$muted").append_text(strip).append("  GPU%", "$muted")


def heat_lines(states: Sequence[NodeState], width: int) -> list[Text]:
    """The same as a grid, eight nodes a line up to 64."""
    values, lost = _heat(states)
    columns = 8 if len(states) <= 64 else 16
    cell = max(1, min(4, width // columns - 1))
    return heat_grid(values, columns, lost=lost, cell=cell)


def _heat(states: Sequence[NodeState]) -> tuple[list[float | None], list[bool]]:
    lost = [s.reach is Reachability.LOST for s in states]
    return [of.share(s) if s.reading else None for s in states], lost


def empty_lines(config: str) -> list[Text]:
    """What to do without nodes."""
    return [
        Text("No nodes yet.", "bold $title"),
        Text(""),
        _hint("Add one:      ", ": node add NAME ADDRESS"),
        _hint("Find them:    ", ": node scan", "            (mDNS, known_hosts)"),
        Text("Or edit:      ", "$muted").append(plain(config)),
        Text(""),
        _hint("Only looking?  ", "sparkconsole --demo", "   shows a pretend cluster."),
    ]


def _hint(before: str, words: str, after: str = "") -> Text:
    return Text(before, "$muted").append(words, "$key").append(after, "$muted")


# --- what happened

EVENT_MARKS = {
    "info": (" ", "$muted"),
    "warning": ("!", "$node-warn"),
    "error": ("✖", "$node-lost"),
    "done": ("✔", "$node-up"),
}
SOURCE_MOST = 16


def event_lines(events: Iterable[Event], height: int, zone: tzinfo | None = None) -> list[Text]:
    """The newest `height` of them; an empty pane says so."""
    newest = list(reversed(list(events)))[: max(height, 0)]
    if not newest:
        return [Text("nothing has happened yet", "$muted")]
    broad = min(SOURCE_MOST, max(styled(e.source).cell_len for e in newest))
    return [event_line(e, broad, zone) for e in newest]


def event_line(event: Event, source_width: int, zone: tzinfo | None = None) -> Text:
    """`10:41:58 ! spark-02  roceP2p1s0f1 link flapped`."""
    mark, style = EVENT_MARKS.get(event.level, EVENT_MARKS["info"])
    parts: Sequence[Text] = (
        Text(f"{event.at.astimezone(zone):%H:%M:%S}", "$muted"),
        Text(mark, style),
        filled(styled(event.source, "$title"), source_width),
        Text(" "),
        styled(event.text, style if event.level in ("warning", "error") else ""),
    )
    return joined_cells(parts, 1)
