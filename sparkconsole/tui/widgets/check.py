"""A box to tick, one line high: `[x]` and `[ ]`, so that no colour is needed to see which."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.widgets import Checkbox


class CheckMark(Checkbox):
    """Space, enter and a click turn it."""

    DEFAULT_CSS = """
    CheckMark { width: 3; height: 1; padding: 0; border: none; background: transparent; }
    CheckMark:focus { border: none; background: $block-cursor-background; color: $block-cursor-foreground; }
    """

    def __init__(self, value: bool) -> None:
        super().__init__(value=value, compact=True)

    def render(self) -> Content:
        """The box."""
        return Content("[x]" if self.value else "[ ]")

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Three cells."""
        return 3
