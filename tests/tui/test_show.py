"""Values as a few cells of text: every width holds, and unknown is never zero."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.theme import Theme

from sparkconsole import tui
from sparkconsole.model.text import units
from sparkconsole.tui.draw import bars, charts
from sparkconsole.tui.theme import OURS

ODD = (None, math.nan, math.inf, -math.inf, -1.0, 0.0, 1e-9, 0.5, 1.0, 7.0)


@pytest.mark.parametrize("share", ODD)
@pytest.mark.parametrize("width", [0, 1, 2, 3, 16, 200])
def test_a_bar_is_as_wide_as_asked(share: float | None, width: int) -> None:
    assert cell_len(bars.bar(share, width)) == (width if width >= 2 else 0)
    assert bars.bar_text(share, width).plain == bars.bar(share, width)


def test_a_bar_fills_by_eighths() -> None:
    assert bars.bar(0.71, 15) == "▕█████████▎   ▏"
    assert bars.bar(0.0, 6) == "▕    ▏"
    assert bars.bar(None, 6) == "▕    ▏"
    assert bars.bar(1.0, 6) == "▕████▏"


def test_a_little_shows_and_nearly_full_is_not_full() -> None:
    assert bars.bar(0.0001, 6) == "▕▏   ▏"
    assert bars.bar(0.9999, 6) == "▕███▉▏"


def test_a_bar_says_by_colour_how_full_it_is() -> None:
    assert [bars.bar_style(s) for s in (None, 0.2, 0.9, 0.97)] == ["$bar", "$bar", "$bar-warm", "$bar-hot"]
    assert any("$bar-hot" in str(span.style) for span in bars.bar_text(0.99, 10).spans)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"), (math.nan, "–"), (-3, "0s"), (0.9, "0s"), (48, "48s"), (59.99, "59s"), (60, "1m"),
        (3599, "59m"), (3600, "1h"), (7800, "2h 10m"), (86_399, "23h 59m"), (12 * 86_400 + 5, "12 d"),
    ],
)  # fmt: skip
def test_ages(seconds: float | None, said: str) -> None:
    assert units.age(seconds) == said


def test_sizes_and_rates() -> None:
    assert units.used_of(98.4 * 2**30, 119.7 * 2**30) == "98.4/119.7 GiB"
    assert units.used_of(None, 2**30) == "–/1.0 GiB"
    assert [units.binary_size(n) for n in (None, 0, 999, 1023, 21.4 * 2**30, 2**40)] == [
        "–", "0 B", "999 B", "1.0 KiB", "21.4 GiB", "1.0 TiB",
    ]  # fmt: skip
    assert [units.byte_rate(n) for n in (None, 0, 999, 999.9, 999_999, 11.8e9)] == [
        "–", "0 B/s", "999 B/s", "1.0 kB/s", "1.0 MB/s", "11.8 GB/s",
    ]  # fmt: skip
    assert [units.gigabyte_rate(n) for n in (None, 0, 1, 11.81e9)] == ["–", "0.0", "<0.1", "11.8"]
    assert [units.token_rate(n) for n in (None, 41.2, 999.99, 1904.4)] == [
        "– tok/s", "41.2 tok/s", "1000 tok/s", "1904 tok/s",
    ]  # fmt: skip


def test_percentages_keep_their_width() -> None:
    assert [units.percent(s) for s in (None, 0.0, 0.714, 1.0, 1.5, math.nan)] == [
        "  – %", "  0 %", " 71 %", "100 %", "150 %", "  – %",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "plain", "日本語テキスト", "e\u0301e\u0301e\u0301e\u0301", "a" * 500, "👩‍👩‍👧 x"]
)
@pytest.mark.parametrize("width", [0, 1, 2, 3, 7, 40])
def test_fitted_text_has_exactly_that_many_cells(text: str, width: int) -> None:
    assert cell_len(bars.fitted(text, width)) == width
    assert cell_len(bars.from_left(text, width)) <= width


@pytest.mark.parametrize(
    ("names", "width", "said"),
    [
        (["spark-01", "spark-02"], 8, ("spark-01", "spark-02")),
        (["spark-01", "spark-02"], 4, ("…-01", "…-02")),
        (["a.lab.net", "b.lab.net"], 3, ("a", "b")),
        (["gpu-west-07.example.com", "gpu-west-08.example.com"], 4, ("…-07", "…-08")),
        (["alpha-machine", "beta-machine"], 6, ("alpha…", "beta-…")),
        (["aaaa-1-bbbb", "aaaa-2-bbbb"], 4, ("…1-…", "…2-…")),
        (["10.0.0.11", "10.0.0.12"], 6, ("….0.11", "….0.12")),
        (["aaaaaaaa", "aaaaaaaaa"], 3, ("1", "2")),
        ([], 4, ()),
        (["spark-01"], 4, ("…-01",)),
    ],
)
def test_short_names_keep_what_tells_them_apart(names: list[str], width: int, said: tuple[str, ...]) -> None:
    assert bars.short_names(names, width) == said


def test_sixty_four_names_stay_apart() -> None:
    names = [f"dgx-spark-{n:02}.cluster.internal" for n in range(1, 65)]
    for width in range(3, 40):
        assert len(set(bars.short_names(names, width))) == 64
        assert all(cell_len(n) <= width for n in bars.short_names(names, width))


def test_a_sparkline_has_gaps_and_stands_at_the_right() -> None:
    assert charts.spark([0, 1, None, 4, math.nan, 8], 8) == "  ▁▂ ▅ █"
    assert charts.spark([], 3) == charts.spark([None, None], 3) == "   "


def test_a_sparkline_loses_no_peak() -> None:
    series = [0.0] * 1000
    series[437] = 9.0
    assert charts.spark(series, 10).count("█") == 1


def test_a_peak_stays_as_values_come() -> None:
    """Shares are counted from the newest: what was drawn moves left as a whole."""
    series = [float(n % 7 == 3) for n in range(120)]
    assert all("█" in charts.spark(series[: 60 + n], 30) for n in range(60))


@pytest.mark.parametrize("width", [-1, 0, 1, 2, 50])
@pytest.mark.parametrize(
    "series", [[], [None], [5.0], [5.0, 5.0], [-1e300, 1e300], list(range(999)), [math.inf]]
)
def test_a_sparkline_is_as_wide_as_asked(series: list[float | None], width: int) -> None:
    assert len(charts.spark(series, width)) == max(0, width)


def test_a_sparkline_on_a_fixed_scale() -> None:
    assert charts.spark([-1, 0.5, 3], 3, high=1) == "▁▅█"


def test_heat_says_lost_and_unknown_by_glyph() -> None:
    strip = charts.heat_strip([1.0, 0.0, None, 0.5], 10, lost=[False, False, False, True])
    assert strip.plain == "█▁·✖"


def test_heat_keeps_to_its_room() -> None:
    assert charts.heat_strip([0.5] * 64, 64).cell_len == 64
    assert charts.heat_strip([0.5] * 65, 64).plain == "▅" * 63 + "…"
    assert charts.heat_strip([0.5] * 3, 1).plain == "…"
    assert charts.heat_strip([0.5] * 3, 0).plain == ""


def test_a_heat_grid_has_every_node_once() -> None:
    rows = charts.heat_grid([n / 64 for n in range(64)], 8)
    assert [len(r.plain.split()) for r in rows] == [8] * 8
    assert charts.heat_grid([], 8) == []
    assert [r.plain for r in charts.heat_grid([1, math.nan, 0], 2, cell=1)] == ["█ ·", "▁"]


def test_every_style_is_a_variable_of_the_themes() -> None:
    named = set()
    for path in Path(tui.__file__).parent.rglob("*.py"):
        named |= set(re.findall(r"\"[^\"\n]*?\$([a-z][a-z0-9-]*[a-z0-9])\b(?!-)", path.read_text()))
    assert {"bar", "heat-mid", "spark-line"} <= named
    assert named <= {*OURS, *Theme("any", primary="#fff").to_color_system().generate()}
