"""What happened, newest first, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from rich.text import Text

from sparkconsole.fleet.store import Event
from sparkconsole.tui.draw.frame import filled, joined_cells, styled

MARKS = {
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
    mark, style = MARKS.get(event.level, MARKS["info"])
    parts: Sequence[Text] = (
        Text(f"{event.at.astimezone(zone):%H:%M:%S}", "$muted"),
        Text(mark, style),
        filled(styled(event.source, "$title"), source_width),
        Text(" "),
        styled(event.text, style if event.level in ("warning", "error") else ""),
    )
    return joined_cells(parts, 1)
