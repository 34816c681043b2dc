"""Rich text as strips for widgets that draw line by line, with the names of theme variables resolved."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style as RichStyle
from rich.text import Text
from textual.strip import Strip
from textual.style import Style

from sparkconsole.tui.widgets.styled_text import content


def segments(text: Text | str, base: Style) -> list[Segment]:
    """One line of text on a base style; an unknown style name is no style."""
    if isinstance(text, str):
        return [Segment(text, base.rich_style)] if text else []
    return list(content([text]).render_segments(base, end=""))


def strip(parts: Iterable[Text | str], base: Style, width: int, *, reverse: bool = False) -> Strip:
    """Exactly `width` cells of the parts side by side."""
    row = [s for part in parts for s in segments(part, base)]
    made = Strip(row).adjust_cell_length(max(width, 0), base.rich_style)
    return made.apply_style(RichStyle(reverse=True)) if reverse else made
