"""A line of text with values to choose from: up and down walk through them, anything else may be typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding
from textual.suggester import SuggestFromList
from textual.widgets import Input


class SuggestedInput(Input):
    """Without choices it is an Input of one line."""

    BINDINGS: ClassVar = [
        Binding("up", "walk(-1)", "previous", show=False),
        Binding("down", "walk(1)", "next", show=False),
    ]

    def __init__(self, value: str, choices: Sequence[str] = (), *, placeholder: str = "") -> None:
        super().__init__(value, placeholder=placeholder, compact=True, select_on_focus=True)
        self.choices: tuple[str, ...] = ()
        self.offer(choices)

    def offer(self, choices: Sequence[str]) -> None:
        """Other values to choose from."""
        self.choices = tuple(choices)
        self.suggester = SuggestFromList(self.choices, case_sensitive=False) if self.choices else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without choices the arrows belong to the form."""
        return bool(self.choices) if action == "walk" else super().check_action(action, parameters)

    def action_walk(self, step: int) -> None:
        """The choice before or after what stands there."""
        before_first = -1 if step > 0 else 0
        at = (self.choices.index(self.value) if self.value in self.choices else before_first) + step
        self.value = self.choices[at % len(self.choices)]
        self.cursor_position = len(self.value)
