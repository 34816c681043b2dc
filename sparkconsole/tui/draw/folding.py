"""Text broken between words to the cells there are."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

from sparkconsole.model.text.printable import printable

_PLAIN = Console(width=10_000, file=StringIO())


def folded(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells; a word that is longer than that is torn. Nothing for no text."""
    lines = Text(printable(text)).wrap(_PLAIN, max(width, 1))
    return [line.plain.rstrip() for line in lines if line.plain.strip()]
