"""How a line of a log begins: its time and its node, in columns of one width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from sparkconsole.model.log_line import Level, LogLine

_PLAIN = Style()
_CONSOLE = Console(width=10_000, file=StringIO())


@dataclass(frozen=True, slots=True)
class LogStyles:
    """Colours by what they mean."""

    time: Style = field(default=_PLAIN)
    node: Style = field(default=_PLAIN)
    debug: Style = field(default=_PLAIN)
    warning: Style = field(default=_PLAIN)
    error: Style = field(default=_PLAIN)
    match: Style = field(default=_PLAIN)
    found: Style = field(default=_PLAIN)
    mark: Style = field(default=_PLAIN)

    def level(self, level: Level) -> Style:
        """The colour of a level; what informs has none."""
        return {Level.DEBUG: self.debug, Level.WARNING: self.warning, Level.ERROR: self.error}.get(
            level, _PLAIN
        )


NO_STYLES = LogStyles()


def prefix(line: LogLine, *, times: bool, names: Mapping[str, str], styles: LogStyles = NO_STYLES) -> Text:
    """`10:41:07.112 01 `; what a line does not have takes no room."""
    text = Text()
    if times and line.at is not None:
        local = line.at.astimezone()
        text.append(f"{local:%H:%M:%S}.{local.microsecond // 1000:03} ", styles.time)
    if line.node:
        text.append(f"{names.get(line.node, line.node)} ", styles.node)
    return text


def cells(line: LogLine, *, times: bool, names: Mapping[str, str]) -> int:
    """Cells that the line takes in one row; counted the quick way where that is exact."""
    before = (13 if times and line.at is not None else 0) + (
        len(names.get(line.node, line.node)) + 1 if line.node else 0
    )
    bare = line.bare
    return before + (len(bare) if bare.isascii() else cell_len(bare))


def wrapped_height(line: LogLine, width: int, *, times: bool, names: Mapping[str, str]) -> int:
    """Rows that the line takes when it is wrapped."""
    if cells(line, times=times, names=names) <= width:
        return 1
    text = prefix(line, times=times, names=names).plain + line.bare
    return len(Text(text).wrap(_CONSOLE, width, no_wrap=False))
