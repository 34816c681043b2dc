"""How a line of a log begins: its time and its node, in columns of one width."""

from __future__ import annotations

from collections.abc import Mapping

from rich.cells import get_character_cell_size
from rich.style import Style
from rich.text import Text

from sparkconsole.model.logs.diagnosis import Weight
from sparkconsole.model.logs.line import LogLine

Styles = Mapping[str, Style]
"""By what they mean: time, node, a level in small letters (what informs has none), match, found, mark."""
_GLYPHS = {Weight.ERROR: "✖", Weight.WARNING: "!"}


def prefix(
    line: LogLine,
    *,
    times: bool,
    names: Mapping[str, str],
    styles: Styles = {},  # noqa: B006 - read only
    weight: Weight | None = None,
) -> Text:
    """`10:41:07.112 01 `; what a line does not have takes no room. A finding's glyph takes the last blank."""
    text = Text()
    if times and line.at is not None:
        local = line.at.astimezone()
        text.append(f"{local:%H:%M:%S}.{local.microsecond // 1000:03} ", styles.get("time"))
    if line.node:
        text.append(f"{names.get(line.node, line.node)} ", styles.get("node"))
    if weight in _GLYPHS and text:
        text.right_crop(1)
        text.append(_GLYPHS[weight], styles.get("error" if weight is Weight.ERROR else "warning"))
    return text


def most_cells(line: LogLine, *, times: bool, names: Mapping[str, str]) -> int:
    """Cells that the line takes in one row at most; exact for ASCII, as counting wide ones is slow."""
    bare = line.bare
    size = len(bare) if bare.isascii() else min(len(bare.encode("utf-8", "replace")), 2 * len(bare))
    return len(_stand_in(line, times=times, names=names)) + size


def _stand_in(line: LogLine, *, times: bool, names: Mapping[str, str]) -> str:
    """As long as the prefix, and broken where it is; made quicker."""
    time = "00:00:00.000 " if times and line.at is not None else ""
    return f"{time}{names.get(line.node, line.node)} " if line.node else time


def wrapped_height(line: LogLine, width: int, *, times: bool, names: Mapping[str, str]) -> int:
    """Rows that the line takes when it is wrapped."""
    if most_cells(line, times=times, names=names) <= width:
        return 1
    return len(breaks(_stand_in(line, times=times, names=names) + line.bare, width)) + 1


def breaks(text: str, width: int) -> list[int]:
    """Where rows begin so that each fits into `width` cells: at words, within a word that is longer."""
    found: list[int] = []
    text, at = text.rstrip(), 0
    fitting = _fitting if text.isascii() else _fitting_wide
    while (end := fitting(text, at, width)) < len(text):
        at = _row_end(text, at, end)
        found.append(at)
    return found


def _row_end(text: str, at: int, end: int) -> int:
    """Behind the last blank up to `end`; at `end` when the row is one long word."""
    blank = text.rfind(" ", at, end + 1)
    if blank < at or text[at:blank].isspace() or blank == at:
        return end
    while text[blank] == " ":
        blank += 1
    return blank


def _fitting(text: str, at: int, width: int) -> int:
    return at + width


def _fitting_wide(text: str, at: int, width: int) -> int:
    """Counted character by character; at least one is taken, however wide."""
    room = width
    for index in range(at, len(text)):
        character = text[index]
        room -= 1 if character == "\ufe0f" else get_character_cell_size(character)
        if room < 0 and index > at:
            return index
    return len(text)
