"""Text broken between words to the cells there are; errors and marked sentences as such lines."""

from __future__ import annotations

from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sparkconsole.errors import SparkError, Stopped
from sparkconsole.model.text.printable import printable

_PLAIN = Console(width=10_000, file=StringIO())


def folded(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells; a word that is longer than that is torn. Nothing for no text."""
    lines = Text(printable(text)).wrap(_PLAIN, max(width, 1))
    return [line.plain.rstrip() for line in lines if line.plain.strip()]


def hung(sign: str, sign_style: str, text: str, width: int, style: str = "") -> list[Text]:
    """A sign, and behind it the text, folded."""
    blank = " " * cell_len(sign)
    return [
        Text.assemble((sign if at == 0 else blank, sign_style), (line, style), no_wrap=True, end="")
        for at, line in enumerate(folded(text, max(width - cell_len(sign), 8)))
    ]


def error_lines(error: SparkError, width: int) -> list[Text]:
    """Where and why something went wrong, and what to do next."""
    sign, style = ("○", "$muted") if isinstance(error, Stopped) else ("✖", "$node-lost")
    where = f"{error.node}: " if error.node else ""
    lines = [Text(line, style) for line in folded(f"{sign} {where}{error.cause}", width)]
    hint = folded(f"→ {error.hint}", width) if error.hint else []
    return [*lines, *(Text(line, "$node-warn") for line in hint)]
