"""Which keys reach a view while a field has the focus: a letter that is typed into a field is no key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from textual.keys import key_to_character
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Select

from sparkconsole.tui.keys import Key
from sparkconsole.tui.prompt import CommandInput

FIELD = (Key("field.leave", "escape", "leave the field", display="esc"),)
"""What a field of a form adds."""
LINE = (
    Key("line.enter", "enter", "enter", display="⏎"),
    Key("line.complete", "tab", "complete", display="tab"),
    Key("line.leave", "escape", "leave", display="esc"),
)
"""What the line at the bottom takes."""
FIELDS = (Input, Select, Checkbox)


def offered(screen: Screen[Any], keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys that do what they say with the focus where it is, each written as it works there."""
    focus = screen.focused
    if isinstance(focus, CommandInput):
        return LINE
    if focus is None or not isinstance(focus, FIELDS):
        return tuple(keys)
    reached = _reached(screen, focus)
    left = [_as_it_works(key, reached[key.id]) for key in keys if key.id in reached]
    return (*left, *FIELD)


def _reached(screen: Screen[Any], focus: Widget) -> dict[str, list[str]]:
    """The keys that come through to each binding, by its id."""
    found: dict[str, list[str]] = {}
    for name, active in screen.active_bindings.items():
        swallowed = focus.check_consume_key(name, key_to_character(name))
        if active.binding.id and active.enabled and not swallowed:
            found.setdefault(active.binding.id, []).append(name)
    return found


def _as_it_works(key: Key, reached: list[str]) -> Key:
    """`V` is written `^j` where a V would be typed."""
    usual = key.keys.split(",")[0].strip()
    if usual in reached:
        return key
    return replace(key, keys=reached[0], display=reached[0].replace("ctrl+", "^"))
