"""What a looking verb found, above the view."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.widgets import Static

from sparkconsole.model.text.redact import presentable
from sparkconsole.model.work.answer import Answer, Sheet
from sparkconsole.tui.dialogs.dialog import CLOSE, COPY, Dialog
from sparkconsole.tui.draw.sheet import sheet_lines


class AnswerSheet(Dialog[None]):
    """Scrolls; `y` copies it as text."""

    OFFERS = (CLOSE, COPY)
    SIZE = "-wide-dialog"

    def __init__(self, heading: str, answer: Answer) -> None:
        super().__init__(heading)
        self.answer = answer

    def compose_body(self) -> ComposeResult:
        """The parts below each other."""
        with VerticalScroll(classes="dialog-body", can_focus=True):
            for part in self.answer.parts or ("nothing to say",):
                yield AnswerPart(part)

    def text(self) -> str:
        """All of it."""
        return "\n".join(line for part in self.answer.parts for line in _lines(part))


class AnswerPart(Static):
    """A sheet or a sentence, folded to the room there is."""

    def __init__(self, part: Sheet | str) -> None:
        super().__init__(markup=False, classes="part")
        self._part = part

    def render(self) -> Text:
        """As many columns as there is room for, folded where there is not."""
        return Text("\n".join(_lines(self._part, self.size.width or self.container_size.width)))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A folded sheet is higher."""
        return len(Text("\n".join(_lines(self._part, width))).wrap(self.app.console, max(width, 1)))


def _lines(part: Sheet | str, width: int | None = None) -> list[str]:
    return sheet_lines(part, width) if isinstance(part, Sheet) else presentable(part).splitlines()
