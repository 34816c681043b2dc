"""What a form would run: its exact commands, or what is wrong with what is filled in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from sparkconsole.model.text.redact import command_line, presentable
from sparkconsole.tui.draw.bars import fitted
from sparkconsole.tui.draw.frame import folded


@dataclass(frozen=True, slots=True)
class CommandPreview:
    """The words, and the commands that come of them; or what is wrong."""

    words: tuple[str, ...] = ()
    """Shown where they are set."""
    commands: tuple[tuple[str, str], ...] = ()
    """Each with its node; with none where there is only one."""
    wrong: str = ""
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """As it is copied."""
        lines = [f"# {node}\n{command}" if node else command for node, command in self.commands]
        return "\n".join(lines) or (shlex.join(("sparkconsole", *self.words)) if self.words else "")


def preview_lines(preview: CommandPreview, width: int, height: int, notes: Sequence[str] = ()) -> list[Text]:
    """`: words`, the commands, folded to `height` lines, and the notes; the rest is said to be there."""
    if preview.wrong:
        return [_line(line, "$node-warn") for line in folded(f"! {preview.wrong}", width)][:height]
    shown = fitted(presentable(f": {command_line(preview.words)}"), width).rstrip()
    words = [_line(shown, "bold")] if preview.words else []
    remarks = [_line(line, "$node-warn") for note in notes for line in folded(f"! {note}", width)]
    remarks = remarks[: height - 1]
    sign = "$ " if words else ""
    room = max(0, height - len(words) - len(remarks))
    commands = [f"{sign}{node}{'  ' if node else ''}{command}" for node, command in preview.commands]
    every = [line for command in commands for line in folded(command, width)]
    lines = every[:room]
    if lines and len(lines) < len(every):
        more = " … y copies all"
        lines[-1] = fitted(lines[-1], max(0, width - len(more))).rstrip() + more
    return [*words, *(_line(line, "$muted") for line in lines), *remarks]


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, end="")
