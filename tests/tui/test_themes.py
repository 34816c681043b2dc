"""The shipped themes can be read by everyone: contrast by WCAG, colour blindness by simulation."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import Theme

from sparkconsole.tui.theme import OURS, load_themes, shipped_folder

THEMES, WRONG = load_themes(own=Path("/nowhere"))
GROUNDS = ("background", "surface", "panel", "row-cursor", "row-hover")
NO_TEXT = {"bar-track", "frame", "frame-focus", "row-cursor", "row-hover"}
STATES = ("node-up", "node-warn", "node-lost")

# Machado, Oliveira & Fernandes 2009, severity 1.0, on linear RGB.
PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.01182, 0.04294, 0.968881),
)
TRITANOPIA = ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039))
SEEN_AS = {"protanopia": PROTANOPIA, "deuteranopia": DEUTERANOPIA, "tritanopia": TRITANOPIA}


def test_six_themes_are_shipped_and_each_is_sound() -> None:
    assert WRONG == ()
    assert {t.name for t in THEMES} == {p.stem for p in shipped_folder().glob("*.toml")}
    assert {"spark-dark", "spark-light", "spark-mono", "spark-contrast"} <= {t.name for t in THEMES}
    assert len(THEMES) >= 6


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_text_stands_out_from_whatever_it_is_on(theme: Theme) -> None:
    colours = colours_of(theme)
    least = 7.0 if theme.name == "spark-contrast" else 4.5
    pale = {
        f"{name} on {ground}": round(contrast(colours[name], colours[ground]), 2)
        for name in ("foreground", "primary", "warning", "error", *(n for n in OURS if n not in NO_TEXT))
        for ground in GROUNDS
        if contrast(colours[name], colours[ground]) < least
    }
    assert pale == {}


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_bars_stand_out_from_their_track_and_a_focused_frame_from_others(theme: Theme) -> None:
    colours = colours_of(theme)
    for bar in ("bar", "bar-warm", "bar-hot"):
        assert contrast(colours[bar], colours["bar-track"]) >= 3
    assert contrast(colours["frame-focus"], colours["background"]) >= 3
    assert distance(lab(linear(colours["frame"])), lab(linear(colours["frame-focus"]))) > 20


@pytest.mark.parametrize("eyes", SEEN_AS)
@pytest.mark.parametrize("name", ["spark-deuteranopia", "spark-tritanopia"])
def test_colour_blind_eyes_tell_the_states_apart(name: str, eyes: str) -> None:
    colours = colours_of(next(t for t in THEMES if t.name == name))
    for one, other in itertools.combinations(STATES, 2):
        assert distance(seen(colours[one], eyes), seen(colours[other], eyes)) >= 20, (one, other)


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_the_states_differ_for_everyone(theme: Theme) -> None:
    colours = colours_of(theme)
    for one, other in itertools.combinations(STATES, 2):
        assert distance(lab(linear(colours[one])), lab(linear(colours[other]))) >= 15


def test_mono_is_greys_only() -> None:
    mono = next(t for t in THEMES if t.name == "spark-mono")
    assert {name: value for name, value in colours_of(mono).items() if not is_grey(value)} == {}


def test_the_simulation_sees_red_and_green_alike() -> None:
    """Else the test above says nothing."""
    red, green = "#c05000", "#807800"
    assert distance(seen(red, "deuteranopia"), seen(green, "deuteranopia")) < 20
    assert distance(lab(linear(red)), lab(linear(green))) > 40


def colours_of(theme: Theme) -> dict[str, str]:
    made = {**theme.to_color_system().generate(), **theme.variables}
    return {name: made[name] for name in (*OURS, *GROUNDS, "foreground", "primary", "warning", "error")}


def contrast(one: str, other: str) -> float:
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (high + 0.05) / (low + 0.05)


def linear(colour: str) -> tuple[float, ...]:
    parts = [part / 255 for part in Color.parse(colour).rgb]
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)


def seen(colour: str, eyes: str) -> tuple[float, ...]:
    rgb = linear(colour)
    return lab(
        [min(1.0, max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True)))) for row in SEEN_AS[eyes]]
    )


def lab(rgb: tuple[float, ...] | list[float]) -> tuple[float, ...]:
    r, g, b = rgb
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


def is_grey(colour: str) -> bool:
    return len(set(Color.parse(colour).rgb)) == 1
