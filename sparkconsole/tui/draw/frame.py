"""Frames, columns and blanks: lines of text put together, every line as wide as asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Span, Text

from sparkconsole.model.text.printable import printable

LIGHT = "╭─╮│╰╯"
HEAVY = "┏━┓┃┗┛"
"""The frame that the cursor is on; it needs no colour to be seen."""


def plain(text: str) -> str:
    """What a machine said, as one line without control characters."""
    return " ".join(printable(text).split())


def styled(text: str, style: str = "") -> Text:
    """The same as `Text`, which nobody takes for markup."""
    return Text(plain(text), style, no_wrap=True, end="")


def joined(parts: Iterable[Text | str], gap: str = "  ") -> Text:
    """Those that are not empty, in one line."""
    kept = [p if isinstance(p, Text) else Text(p) for p in parts if p]
    return Text(gap, no_wrap=True, end="").join(kept)


def fitting(parts: Sequence[Text | str], width: int, gap: str = "  ") -> Text:
    """As many of the parts, from the first on, as stand in `width` cells; the first stays in any case."""
    kept: list[Text | str] = []
    for part in parts:
        if part and kept and joined([*kept, part], gap).cell_len > width:
            continue
        kept.append(part)
    return joined(kept, gap)


def filled(text: Text, width: int) -> Text:
    """Exactly `width` cells: cut with `…`, or filled up with blanks."""
    plain = text.plain
    if plain.isascii() and len(plain) <= width:
        return Text(plain.ljust(width), text.style, no_wrap=True, end="", spans=text.spans.copy())
    line = text.copy()
    line.no_wrap, line.end = True, ""
    line.truncate(max(width, 0), overflow="ellipsis", pad=True)
    return line


def framed(
    lines: Sequence[Text],
    width: int,
    height: int,
    *,
    title: Text | str = "",
    right: Text | str = "",
    heavy: bool = False,
    style: str = "$frame",
) -> list[Text]:
    """`height` lines of `width` cells: the frame, a title on the left, one on the right."""
    if width < 6 or height < 2:
        return [filled(Text(), width) for _ in range(height)]
    corner, flat, other, side, low, last = tuple(HEAVY if heavy else LIGHT)
    body = [*lines[: height - 2], *(Text() for _ in range(height - 2 - len(lines)))]
    top = _top(_of(title), _of(right), width - 2, flat, style)
    return [
        _line(Text(corner, style), top, Text(other, style)),
        *(_line(Text(f"{side} ", style), filled(x, width - 4), Text(f" {side}", style)) for x in body),
        Text(low + flat * (width - 2) + last, style, no_wrap=True, end=""),
    ]


def _of(text: Text | str) -> Text:
    return text if isinstance(text, Text) else styled(text, "$title")


def _top(title: Text, right: Text, room: int, flat: str, style: str) -> Text:
    """What stands on the right goes first when there is no room for both."""
    head = title.copy() if room >= 8 else Text("")
    head.truncate(max(room - 4, 1), overflow="ellipsis")
    tail = right if right and head.cell_len + right.cell_len + 6 <= room else Text("")
    ends = [Text(" ", ""), head, Text(" ", "")] if head else [Text(flat, style)]
    after = [Text(" "), tail, Text(" ")] if tail else []
    used = sum(t.cell_len for t in (*ends, *after))
    return _line(*ends, Text(flat * max(room - used, 0), style), *after)


def _line(*parts: Text) -> Text:
    line = Text(no_wrap=True, end="")
    for part in parts:
        line.append_text(part)
    return line


def beside(columns: Sequence[Sequence[Text]], widths: Sequence[int], gap: int = 0) -> list[Text]:
    """Columns of lines as lines; each column as wide as said, the shorter ones filled up with blanks."""
    height = max((len(c) for c in columns), default=0)
    rows = []
    for y in range(height):
        cells = [
            filled(column[y] if y < len(column) else Text(), width)
            for column, width in zip(columns, widths, strict=True)
        ]
        rows.append(joined_cells(cells, gap))
    return rows


def joined_cells(cells: Sequence[Text], gap: int) -> Text:
    """Cells in one line, blanks kept."""
    spans, at = [], 0
    for cell in cells:
        if cell.style:
            spans.append(Span(at, at + len(cell), cell.style))
        spans += [span.move(at) for span in cell.spans]
        at += len(cell) + gap
    return Text((" " * gap).join(c.plain for c in cells), no_wrap=True, end="", spans=spans)


def folded(text: str, width: int, most: int) -> list[str]:
    """At most `most` lines of `width` cells, broken between words; the last is cut with `…`."""
    words, lines = plain(text).split(" "), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if Text(longer).cell_len <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [filled(Text(line), width).plain.rstrip() for line in lines[:most]]
