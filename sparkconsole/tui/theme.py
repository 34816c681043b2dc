"""Colour themes: the ones shipped and the person's own. A theme with an error is left out, with a sentence
that says which file, key and why; every colour that gets as far as Textual is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from textual.color import Color, ColorParseError
from textual.css.constants import VALID_STYLE_FLAGS
from textual.theme import BUILTIN_THEMES, Theme

import sparkconsole
from sparkconsole.config.paths import config_folder
from sparkconsole.config.reading import read_text, read_toml
from sparkconsole.config.toml_lines import line_of, places
from sparkconsole.errors import WrongConfig
from sparkconsole.model.text.alike import did_you_mean

COLOURS = (
    "primary", "secondary", "accent", "success", "warning", "error",
    "foreground", "background", "surface", "panel", "boost",
)  # fmt: skip
SWITCHES = ("dark", "ansi")
SHARES = ("luminosity_spread", "text_alpha")
KEYS = ("name", *COLOURS, *SWITCHES, *SHARES, "variables")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}")
_COLOUR_FORM = re.compile(r"(?P<colour>.+?)(?:(?<!\s)\s+\d{1,3}(?:\.\d+)?%)?")


class _Wrong(ValueError):
    """A key, and why it cannot be."""

    def __init__(self, place: tuple[str, ...], why: str) -> None:
        super().__init__(why)
        self.place, self.why = place, why


def load_themes(own: Path | None = None) -> tuple[tuple[Theme, ...], tuple[str, ...]]:
    """Every theme that can be used, the shipped ones first, and a sentence for each that cannot.

    `own`: the person's folder, `<config>/themes` unless said; it need not exist.
    """
    found: list[Theme] = []
    wrong: list[str] = []
    taken: dict[str, object] = dict.fromkeys(BUILTIN_THEMES, "a theme of Textual")
    for path in (*_files(shipped_folder()), *_files(own or config_folder() / "themes")):
        try:
            theme = theme_of(path)
            if theme.name in taken:
                raise WrongConfig(f"{path}: name = {theme.name!r} is taken by {taken[theme.name]}")
        except WrongConfig as error:
            wrong.append(f"{error.cause}; the theme is left out")
            continue
        taken[theme.name] = path
        found.append(theme)
    return tuple(found), tuple(wrong)


def shipped_folder() -> Path:
    """Where this program's themes are: inside the package in a wheel, beside it in a checkout."""
    package = Path(sparkconsole.__file__).parent
    places = (package / "themes", package.parent / "themes")
    return next((p for p in places if p.is_dir()), places[0])


def theme_of(path: Path) -> Theme:
    """The theme of that file; WrongConfig says file, line, key and why when it is none."""
    text = read_text(path)
    data = read_toml(text, path)
    try:
        return _theme(data)
    except _Wrong as wrong:
        line = line_of(places(text), wrong.place)
        raise WrongConfig(f"{path}, line {line}: {'.'.join(wrong.place)} {wrong.why}") from None


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.suffix == ".toml")
    except OSError:
        return []


def _theme(data: Mapping[str, Any]) -> Theme:
    for key in data:
        if key not in KEYS:
            raise _Wrong((key,), f"is no key of a theme{did_you_mean(key, KEYS)}")
    for key in ("name", "primary"):
        if key not in data:
            raise _Wrong((key,), "is missing")
    plain: dict[str, Any] = {key: _colour((key,), data[key]) for key in COLOURS if key in data}
    plain |= {key: data[key] for key in (*SWITCHES, *SHARES) if _right_kind(key, data)}
    theme = Theme(name=_name(data["name"]), **plain)
    theme.variables = {**variable_defaults(theme), **dict(_variables(data.get("variables", {})))}
    return theme


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise _Wrong(("name",), f"= {value!r} must be letters, digits, - _ and . only")
    return value


def _right_kind(key: str, data: Mapping[str, Any]) -> bool:
    value = data.get(key)
    if key in SWITCHES and not isinstance(value, bool | None):
        raise _Wrong((key,), f"= {value!r} must be true or false")
    is_share = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    if key in SHARES and value is not None and not is_share:
        raise _Wrong((key,), f"= {value!r} must be a number from 0 to 1")
    return value is not None


def _colour(place: tuple[str, ...], value: Any) -> str:
    with suppress(ColorParseError):
        if isinstance(value, str):
            Color.parse(value)
            return value
    raise _Wrong(place, f"= {value!r} is no colour; a colour is written like #76b900")


def _variables(table: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(table, Mapping):
        raise _Wrong(("variables",), "must be a table")
    theirs = _textual_variables()
    for name, value in table.items():
        place = ("variables", name)
        if name not in theirs and name not in OURS:
            raise _Wrong(place, f"is no variable{did_you_mean(name, (*OURS, *theirs))}")
        yield name, _value(place, value, theirs.get(name, ""))


def _value(place: tuple[str, ...], value: Any, usual: str) -> str:
    """Of the form that the variable usually has: a style, a colour with a share, or just a colour."""
    if place[-1].endswith(("text-style", "link-style", "link-style-hover")):
        if isinstance(value, str) and value.split() and VALID_STYLE_FLAGS.issuperset(value.split()):
            return value
        raise _Wrong(place, f"= {value!r} is no text style; for example bold, reverse, underline, none")
    form = _COLOUR_FORM.fullmatch(value) if "%" in usual and isinstance(value, str) else None
    if form and form["colour"] != "auto":
        _colour(place, form["colour"])
    return value if form else _colour(place, value)


@cache
def _textual_variables() -> dict[str, str]:
    return Theme("plain", primary="#76b900").to_color_system().generate()


def variable_defaults(theme: Theme) -> dict[str, str]:
    """Our own CSS variables, from the colours of a theme that does not have them."""
    made = theme.to_color_system().generate()
    same = {name: made[other] for name, other in _SAME_AS.items()}
    if theme.ansi:
        usual = BUILTIN_THEMES["ansi-dark" if theme.dark else "ansi-light"].variables
        return {**usual, **same, **dict.fromkeys(_BETWEEN, "ansi_bright_black"), **_ANSI}
    background, text = _opaque(made["background"], "#121212"), _opaque(made["foreground"], "#e0e0e0")
    return {**same, **{name: background.blend(text, share).hex for name, share in _BETWEEN.items()}}


def _opaque(value: str, otherwise: str) -> Color:
    colour = Color.parse(value)
    return Color.parse(otherwise) if colour.a < 1 or colour.ansi is not None else colour


_STANDS_FOR = {
    "primary": "bar heat-mid key frame-focus chart-1",
    "secondary": "spark-line heat-low chart-2",
    "accent": "head-mark mark match chart-3",
    "success": "node-up",
    "warning": "node-warn bar-warm heat-high log-warning",
    "error": "node-lost bar-hot log-error chart-4",
    "foreground": "title log-info",
}
"""For which of ours each of Textual's colours stands in."""
_SAME_AS = {ours: theirs for theirs, every in _STANDS_FOR.items() for ours in every.split()}

_BETWEEN = {
    "muted": 0.65,
    "node-none": 0.65,
    "log-debug": 0.65,
    "log-time": 0.65,
    "frame": 0.3,
    "bar-track": 0.2,
    "axis": 0.55,
    "row-cursor": 0.16,
    "row-hover": 0.08,
}
"""How far from the background to the foreground a colour of ours lies."""

_ANSI = {"muted": "ansi_default", "row-cursor": "ansi_blue", "row-hover": "ansi_default"}
"""Where the terminal's own palette has no colour in between."""

OURS = (*_SAME_AS, *_BETWEEN)
"""The variables that the console's views use beside Textual's; `[variables]` of a theme may set each."""
