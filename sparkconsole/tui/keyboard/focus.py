"""Which keys do what they say with the focus where it is: a letter that is typed into a field is no key."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from textual.keys import key_to_character
from textual.screen import Screen
from textual.widgets import Checkbox, Input, Select

from sparkconsole.tui.keyboard.keys import NAMES, Key

FIELD = (Key("field.leave", "escape", "leave the field", display="esc"),)
"""What a field of a form adds."""
FIELDS = (Input, Select, Checkbox)
HANDED_ON = frozenset({"table.open", "table.mark"})
"""Bindings of a widget that do what the view's key of that name says."""


def offered(screen: Screen[Any], keys: Iterable[Key]) -> tuple[Key, ...]:
    """The keys of a view that do what they say with the focus where it is, and those of the focused widget.

    A widget says its own in `OFFERS`; where it takes every key, that is `TAKES_ALL`.
    """
    focus = screen.focused
    own: tuple[Key, ...] = getattr(focus, "OFFERS", ())
    if getattr(focus, "TAKES_ALL", False):
        return own
    taken = {name for key in own for name in key.names}
    left = [key for key in reaching(screen, keys, HANDED_ON) if not taken.intersection(key.names)]
    return (*own, *left, *(FIELD if isinstance(focus, FIELDS) else ()))


def reaching(screen: Screen[Any], keys: Iterable[Key], handed_on: Collection[str] = ()) -> tuple[Key, ...]:
    """Those of the keys that come through to their binding, each written as it works there.

    `handed_on`: ids of the focused widget's own bindings which come to the same.
    """
    reached: dict[str, list[str]] = {}
    same: set[str] = set()
    focus = screen.focused
    for name, active in screen.active_bindings.items():
        typed = focus is not None and focus.check_consume_key(name, key_to_character(NAMES.get(name, name)))
        if typed or not active.enabled:
            continue
        reached.setdefault(active.binding.id or "", []).append(name)
        if active.binding.id in handed_on:
            same.add(name)
    found = ((key, [n for n in key.names if n in same] or reached.get(key.id, [])) for key in keys)
    return tuple(_as_it_works(key, names) for key, names in found if names)


def _as_it_works(key: Key, reached: list[str]) -> Key:
    """`V` is written `^j` where a V would be typed."""
    if key.names[0] in reached:
        return key
    return replace(key, keys=reached[0], display=reached[0].replace("ctrl+", "^"))
