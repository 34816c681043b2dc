"""A form for a verb: its fields are the verb's own parameters, and what it says are the verb's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Label, Select

from sparkconsole.verbs.grammar.forms import Field, FieldKind, fields, words

LABELS = {"tp": "tensor par.", "pp": "pipeline par.", "from_": "from", "on": "build on"}
"""Where the parameter's own name says too little."""


class CheckMark(Checkbox):
    """A box to tick, one line high: `[x]` and `[ ]`, so that no colour is needed to see which.

    Space, enter and a click turn it.
    """

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


class SuggestedInput(Input):
    """A line of text with values to choose from: up and down walk through them, anything else may be typed.

    Without choices it is an Input of one line.
    """

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


class Form(VerticalScroll, can_focus=False):
    """The chosen fields of one verb, a line each (or several a line where the CSS says so).

    `choices`: values to choose from, field by field; the person may still type another one. `labels`:
    another label than the parameter's name. `hints`: what stands greyed in an empty field; by default the
    beginning of the parameter's help. `long`: fields that take a line each.
    """

    DEFAULT_CSS = """
    Form { height: auto; max-height: 100%; layout: grid; grid-size: 1; grid-rows: auto; grid-gutter: 0 2; }
    Form FormLine { height: 1; width: 100%; }
    Form FormLine Label { width: 14; text-style: none; color: $text-muted; }
    Form FormLine Input, Form FormLine Select { width: 1fr; height: 1; }
    Form FormLine.-wrong Label { color: $error; }
    """

    class Changed(Message):
        """Something was filled in."""

    def __init__(
        self,
        verb: str,
        only: Sequence[str],
        *,
        choices: Mapping[str, Sequence[str]] | None = None,
        labels: Mapping[str, str] | None = None,
        hints: Mapping[str, str] | None = None,
        long: Sequence[str] = (),
    ) -> None:
        super().__init__()
        known = {f.name: f for f in fields(verb)}
        self.verb, self._fields = verb, tuple(known[name] for name in only)
        self._choices, self._labels = choices or {}, {**LABELS, **(labels or {})}
        self._hints, self._long = hints or {}, long

    def compose(self) -> ComposeResult:
        """A line per field."""
        for field in self._fields:
            label = self._labels.get(field.name, field.name.replace("_", " "))
            choices, hint = self._choices.get(field.name, ()), self._hints.get(field.name, "")
            line = FormLine(field, label, choices, hint)
            yield line.set_class(field.name in self._long, "-long")

    @property
    def values(self) -> dict[str, Any]:
        """What is filled in, by parameter."""
        return {line.field.name: line.value for line in self.query(FormLine)}

    def fill(self, values: Mapping[str, Any]) -> None:
        """Fills fields in; the others are left as they are."""
        for line in self.query(FormLine):
            if line.field.name in values:
                line.value = values[line.field.name]

    def offer(self, name: str, choices: Sequence[str]) -> None:
        """Other values to choose from."""
        for field in self._suggested(name):
            field.offer(choices)

    def hint(self, name: str, text: str) -> None:
        """Something else that stands greyed in that field while it is empty."""
        for field in self.query(f"FormLine.-{name} Input").results(Input):
            field.placeholder = text

    def walk(self, name: str, step: int) -> None:
        """The value to choose that comes `step` further, wherever the focus is."""
        for field in self._suggested(name):
            if field.choices:
                field.action_walk(step)

    def _suggested(self, name: str) -> Iterable[SuggestedInput]:
        return self.query(f".-{name} SuggestedInput").results(SuggestedInput)

    def words(self, **more: Any) -> tuple[str, ...]:
        """What `:` would say; WrongUsage names what is missing or cannot be. `more`: fields not shown."""
        return words(self.verb, {**self.values, **more})

    @on(Input.Changed)
    @on(Checkbox.Changed)
    @on(Select.Changed)
    def _line_changed(self, event: Message) -> None:
        """News of one line are news of the form."""
        event.stop()
        self.post_message(self.Changed())


class FormLine(Horizontal):
    """Label and input of one field."""

    def __init__(self, field: Field, label: str, choices: Sequence[str], hint: str) -> None:
        super().__init__(classes=f"-{field.name}")
        self.field, self._label, self._choices, self._hint = field, label, choices, hint
        self.tooltip = field.help or None

    def compose(self) -> ComposeResult:
        """A check, a choice, or a line of text."""
        yield Label(self._label, markup=False)
        yield self._input()

    def _input(self) -> Widget:
        if self.field.kind is FieldKind.CHECK:
            return CheckMark(bool(self.field.default))
        if self.field.kind is FieldKind.CHOICE:
            options = [(c, c) for c in self.field.choices]
            chosen = str(self.field.default) if self.field.default in self.field.choices else Select.NULL
            return Select(options, value=chosen, compact=True, allow_blank=True, prompt="default")
        usual = written(self.field.default)
        hint = "needed" if self.field.required else usual or self.field.help.split(";")[0].split(".")[0]
        return SuggestedInput(usual, self._choices, placeholder=self._hint or hint)

    @property
    def value(self) -> Any:
        """What is filled in: a bool, or text; empty text says nothing."""
        inside = self._widget
        if isinstance(inside, Select):
            return None if inside.is_blank() else inside.value
        if isinstance(inside, Checkbox):
            return inside.value
        text = inside.value.strip() if isinstance(inside, Input) else ""
        return None if text == written(self.field.default) else text  # the default says nothing

    @value.setter
    def value(self, value: Any) -> None:
        inside = self._widget
        if isinstance(inside, Select):
            inside.value = value if value in self.field.choices else Select.NULL
        elif isinstance(inside, Checkbox):
            inside.value = bool(value)
        elif isinstance(inside, Input):
            inside.value = written(value)

    @property
    def _widget(self) -> Widget:
        return self.children[1]


def written(value: Any) -> str:
    """A value as a person would type it."""
    if value is None:
        return ""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return " ".join(str(v) for v in value)
    return str(value)
