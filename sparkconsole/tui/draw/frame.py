"""Frames, columns and blanks: lines of text put together, every line as wide as asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Span, Text

from sparkconsole.errors import SparkError, Stopped
from sparkconsole.model.text.redact import presentable

Cell = Text | str
LIGHT = "╭─╮│╰╯"
HEAVY = "┏━┓┃┗┛"
"""The frame that the cursor is on; it needs no colour to be seen."""
SIGN_STYLES = {
    "✔": "$node-up", "!": "$node-warn", "≠": "$node-warn", "✖": "$node-lost", "○": "$node-none",
    "·": "$muted", "–": "$muted",
}  # fmt: skip
"""The colour of a sign that stands for how one thing is."""
_PLAIN = Console(width=10_000, file=StringIO())


def plain(text: str) -> str:
    """What a machine said, as one line without control characters."""
    return " ".join(presentable(text).split())


def styled(text: str, style: str = "") -> Text:
    """The same as `Text`, which nobody takes for markup."""
    return Text(plain(text), style, no_wrap=True, end="")


def joined(parts: Iterable[Cell], gap: str = "  ") -> Text:
    """Those that are not empty, in one line."""
    kept = [p if isinstance(p, Text) else Text(p) for p in parts if p]
    return Text(gap, no_wrap=True, end="").join(kept)


def fitting(parts: Sequence[Cell], width: int, gap: str = "  ") -> Text:
    """As many of the parts, from the first on, as stand in `width` cells; the first stays in any case."""
    kept: list[Cell] = []
    for part in parts:
        if part and kept and joined([*kept, part], gap).cell_len > width:
            continue
        kept.append(part)
    return joined(kept, gap)


def filled(text: Text, width: int, align: str = "left") -> Text:
    """Exactly `width` cells: cut with `…`, or filled up with blanks."""
    line = text.copy()
    line.no_wrap, line.end = True, ""
    if align == "right":
        line.pad_left(max(0, width - text.cell_len))
    plain = line.plain
    if plain.isascii() and len(plain) <= width:
        line.plain = plain.ljust(width)
    else:
        line.truncate(max(width, 0), overflow="ellipsis", pad=True)
    return line


def framed(
    lines: Sequence[Text], width: int, height: int, *, title: Cell = "", right: Cell = "", heavy: bool = False
) -> list[Text]:
    """`height` lines of `width` cells: the frame, a title on the left, one on the right."""
    style = "$frame-focus" if heavy else "$frame"
    if width < 6 or height < 2:
        return [filled(Text(), width) for _ in range(height)]
    corner, flat, other, side, low, last = tuple(HEAVY if heavy else LIGHT)
    left, after = Text(f"{side} ", style), Text(f" {side}", style)
    body = [*lines[: height - 2], *(Text() for _ in range(height - 2 - len(lines)))]
    head, tail = (t if isinstance(t, Text) else styled(t, "$title") for t in (title, right))
    top = _top(head, tail, width - 2, flat, style)
    return [
        joined_cells((Text(corner, style), top, Text(other, style))),
        *(joined_cells((left, filled(line, width - 4), after)) for line in body),
        Text(low + flat * (width - 2) + last, style, no_wrap=True, end=""),
    ]


def _top(title: Text, right: Text, room: int, flat: str, style: str) -> Text:
    """What stands on the right goes first when there is no room for both."""
    head = title.copy() if room >= 8 else Text("")
    head.truncate(max(room - 4, 1), overflow="ellipsis")
    tail = right if right and head.cell_len + right.cell_len + 6 <= room else Text("")
    ends = [Text(" ", ""), head, Text(" ", "")] if head else [Text(flat, style)]
    after = [Text(" "), tail, Text(" ")] if tail else []
    used = sum(t.cell_len for t in (*ends, *after))
    return joined_cells((*ends, Text(flat * max(room - used, 0), style), *after))


def beside(columns: Sequence[Sequence[Text]], widths: Sequence[int]) -> list[Text]:
    """Columns of lines as lines; each column as wide as said, the shorter ones filled up with blanks."""
    rows = zip_longest(*columns, fillvalue=Text())
    return [joined_cells([filled(c, w) for c, w in zip(row, widths, strict=True)]) for row in rows]


def joined_cells(cells: Sequence[Text], gap: int = 0) -> Text:
    """Cells in one line, blanks kept."""
    spans, at = [], 0
    for cell in cells:
        if cell.style:
            spans.append(Span(at, at + len(cell), cell.style))
        spans += [span.move(at) for span in cell.spans]
        at += len(cell) + gap
    return Text((" " * gap).join(c.plain for c in cells), no_wrap=True, end="", spans=spans)


def folded(text: str, width: int, most: int | None = None) -> list[str]:
    """Lines of at most `width` cells, broken between words; a word that is longer than that is torn. Nothing
    for no text. `most`: at most so many lines of text in one piece; the last is cut with `…`."""
    whole = presentable(text) if most is None else plain(text)
    wrapped = Text(whole).wrap(_PLAIN, max(width, 1))
    lines = [line.plain.rstrip() for line in wrapped if line.plain.strip()]
    if most is None or len(lines) <= most:
        return lines
    return [*lines[: most - 1], filled(Text(" ".join(lines[most - 1 :])), width).plain.rstrip()]


def hung(sign: str, sign_style: str, text: str, width: int, style: str = "") -> list[Text]:
    """A sign, and behind it the text, folded."""
    lines = folded(text, max(width - cell_len(sign), 8))
    begins = [sign, *[" " * cell_len(sign)] * len(lines)]
    parts = [((begin, sign_style), (line, style)) for begin, line in zip(begins, lines, strict=False)]
    return [Text.assemble(*both, no_wrap=True, end="") for both in parts]


def where_and_why(error: SparkError) -> str:
    """The node that something went wrong on, where one is known, and the cause."""
    return f"{error.node}: {error.cause}" if error.node else error.cause


def error_lines(error: SparkError, width: int) -> list[Text]:
    """Where and why something went wrong, and what to do next."""
    sign, style = ("○", "$muted") if isinstance(error, Stopped) else ("✖", "$node-lost")
    lines = [Text(line, style) for line in folded(f"{sign} {where_and_why(error)}", width)]
    hint = folded(f"→ {error.hint}", width) if error.hint else []
    return [*lines, *(Text(line, "$node-warn") for line in hint)]
