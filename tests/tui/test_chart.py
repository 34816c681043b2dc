"""Charts as text: nothing is lost, unknown is a gap, and no value and no size breaks them."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from rich.cells import cell_len
from rich.text import Text

from sparkconsole.model.text.units import axis_number
from sparkconsole.tui.draw.charts.braille import Dots
from sparkconsole.tui.draw.charts.plot import histogram, nice, plot, quantile, scale
from sparkconsole.tui.widgets.chart import Chart, Histogram
from sparkconsole.tui.widgets.panel import Panel, headline
from tests.tui.tiny import HOSTILE, lines, screen, tiny

ODD: tuple[Any, ...] = (
    [], [None], [5.0], [math.nan, math.inf, -math.inf], [0.0] * 9, [1e300, -1e300, 1e-300], [-3.0, -1.0],
    list(range(5000)), [None, 1, None, 2, None],
)  # fmt: skip


def test_a_rising_line_goes_from_corner_to_corner() -> None:
    assert [line.plain for line in plot([[0, 10]], 24, 5)] == [
        "10 ┤                ⣀⠤⠒⠉",
        "   ┤            ⣀⠤⠒⠉    ",
        " 5 ┤        ⣀⠤⠒⠉        ",
        "   ┤    ⣀⠤⠒⠉            ",
        " 0 ┼⣀⠤⠒⠉                ",
    ]


def test_a_steep_line_has_no_hole() -> None:
    for y in range(-20, 20):
        dots = Dots(4, 10)
        dots.line(0, 20, 7, 20 + y)
        columns = [[r for r in range(40) if _is_set(dots, x, r)] for x in range(8)]
        for left, right in itertools.pairwise(columns):
            assert left
            assert right
            assert min(right) <= max(left) + 1
            assert min(left) <= max(right) + 1


def _is_set(dots: Dots, x: int, y: int) -> bool:
    bit = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))[x % 2][y % 4]
    return bool(dots._cells[y // 4][x // 2] & bit)


def test_no_peak_is_lost_however_many_values() -> None:
    series: list[float | None] = [1.0] * 3000
    series[1234] = 100.0
    rows = plot([series], 60, 6)
    assert rows[0].plain[5:].strip()


def test_unknown_values_are_a_gap() -> None:
    row = plot([[1, 1, 1, None, None, None, 1, 1, 1]], 12, 1, high=1)[0].plain
    assert "  " in row.strip()
    assert row[0] != " "
    assert row[-1] != " "


def test_fewer_values_than_the_span_stand_at_the_right() -> None:
    row = plot([[1.0] * 10], 20, 1, high=1, span=40)[0].plain
    assert row[:14].strip() == ""
    assert row[16:].strip() != ""


def test_an_area_is_filled_to_the_bottom() -> None:
    rows = [r.plain for r in plot([[4, 4, 4]], 10, 2, high=4, fill=True)]
    assert rows == ["⣿" * 10, "⣿" * 10]


@pytest.mark.parametrize("series", ODD, ids=str)
@pytest.mark.parametrize("size", [(0, 0), (1, 1), (2, 9), (15, 3), (16, 2), (80, 20)], ids=str)
def test_every_line_is_as_wide_as_asked(series: list[float | None], size: tuple[int, int]) -> None:
    width, height = size
    for drawn in (plot([series, series[::-1], [1.0]], width, height), histogram(series, width, height)):
        assert len(drawn) == height
        assert all(cell_len(line.plain) == width for line in drawn)
    for options in ({"fill": True}, {"span": 7}, {"low": 5.0, "high": 5.0}, {"high": -1.0}):
        assert len(plot([series], width, height, **options)) == height  # type: ignore[arg-type]


def test_each_series_has_its_colour_and_the_first_is_on_top() -> None:
    rows = plot([[1, 1], [5, 5], [1, 1]], 20, 5)
    styles = {str(s.style) for row in rows for s in row.spans}
    assert {"$chart-1", "$chart-2"} == styles - {"$axis"}


def test_a_scale_ends_at_round_numbers() -> None:
    assert [nice(v) for v in (0.07, 1, 41.2, 812, 1904, 0, -1, math.nan, math.inf)] == [
        pytest.approx(0.08), 1, 50, 1000, 2000, 1, 1, 1, 1,
    ]  # fmt: skip
    assert scale([[3, 41]], None, None) == (0, 50)
    assert scale([[-3, 4]], None, None) == (-3, 4)
    assert scale([[None]], None, None) == (0, 1)
    assert scale([[7]], 10, None) == (10, 11)


def test_numbers_are_short() -> None:
    told = [
        axis_number(v) for v in (None, 0, 0.5, 41.23, 99.96, 812, 999.6, 1904, 23.9e6, 1e300, -2, 0.00123)
    ]
    assert told == ["–", "0", "0.5", "41.2", "100", "812", "1k", "1.9k", "23.9M", "1e+300", "-2", "0.001"]


def test_quantiles() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([0, 10], 0.99) == pytest.approx(9.9)
    assert quantile([], 0.5) is None


def test_a_distribution_shows_where_most_values_lie_and_its_marks() -> None:
    values = [100.0] + [200.0] * 60 + [210.0] * 30 + [900.0]
    top, *_, foot = (line.plain for line in histogram(values, 40, 4))
    assert top[:4].strip() == ""
    assert top[4:9].strip() != ""
    assert top[12:].strip() == ""
    assert foot.startswith("100")
    assert foot.endswith("900")
    assert "▲50" in foot


async def test_a_chart_says_its_newest_value_and_draws_again_only_for_others() -> None:
    chart = Chart("output tok/s", unit="tok/s")
    async with tiny(chart, size=(44, 8)) as pilot:
        chart.show([10.0, 39.8])
        await pilot.pause()
        assert lines(pilot)[0] == "╭─ output tok/s ────────── now 39.8 tok/s ─╮"
        assert "40 ┤" in lines(pilot)[1]
        drawn: list[object] = []
        chart.refresh = lambda *a, **k: drawn.append(a) or chart  # type: ignore[method-assign,assignment,func-returns-value]
        chart.show([10.0, 39.8])
        assert drawn == []
        chart.show([10.0, math.nan])
        count = len(drawn)
        chart.show([10.0, math.nan])
        assert len(drawn) == count > 0


async def test_series_are_named_in_the_title() -> None:
    chart = Chart("eth", names=("rx", "tx"))
    async with tiny(chart, size=(40, 8)) as pilot:
        chart.show([1.0, 2.0], [3.0, None])
        await pilot.pause()
        assert lines(pilot)[0].endswith(" rx 2  tx – ─╮")
        chart.show()
        await pilot.pause()
        assert lines(pilot)[0].startswith("╭─ eth ─")


async def test_a_histogram_says_its_quantiles() -> None:
    shown = Histogram("ttft ms")
    async with tiny(shown, size=(40, 6)) as pilot:
        shown.show([])
        await pilot.pause()
        assert "nothing measured" in screen(pilot)
        shown.show([200, 210, 220, None, math.nan, 900])
        await pilot.pause()
        assert "p50 215 p99 880" in lines(pilot)[0]


async def test_charts_survive_any_size_and_theme() -> None:
    chart, shown = Chart("[/x] a", fill=True), Histogram("\x1b[31m")
    async with tiny(chart, shown) as pilot:
        for width, height in ((1, 1), (3, 2), (7, 4), (200, 60), (20, 5)):
            await pilot.resize_terminal(width, height)
            chart.show([1.0, 5.0, None, 3.0] * 50)
            shown.show([1.0, 5.0, 3.0])
            await pilot.pause()
        seen = set()
        for theme in ("spark-dark", "spark-light"):
            pilot.app.theme = theme
            await pilot.pause()
            seen.add(tuple(s.style for s in chart.render_line(0)))
        assert len(seen) == 2
        assert "\x1b" not in screen(pilot)


def test_title_and_note_stand_in_one_line() -> None:
    assert (
        headline("serve", "ready 00:41:12", 30).plain
        == "serve ──────── ready 00:41:12"[:6] + "─" * 9 + " ready 00:41:12"
    )
    assert headline("a long title", "a long note", 14).plain == "a long title"
    assert headline("a very long title", "", 8).plain == "a very …"
    assert headline("", "note", 10).plain == "───── note"
    assert headline("", "", 10).plain == headline("x", "", 0).plain == ""


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_titles_are_only_text(text: str) -> None:
    panel = Panel(title=text, note=Text(text, "$muted"))
    async with tiny(panel, size=(30, 4)) as pilot:
        panel.head(text, text)
        await pilot.pause()
        top = lines(pilot)[0]
        assert cell_len(top) == 30
        assert top.endswith("╮")
        assert not any(c < " " or c == "\u202e" for c in top)


async def test_a_panel_with_the_focus_inside_has_another_edge() -> None:
    from textual.widgets import Input

    panel, other = Panel(Input(), title="form", note="changed"), Panel(Input(), title="other", note="x")
    async with tiny(panel, other, size=(40, 12)) as pilot:
        edges = []
        for box in (panel, other):
            box.query_one(Input).focus()
            await pilot.pause()
            edges.append(panel.styles.border_top[1])
            strip = pilot.app.screen._compositor.render_strips()[0]
            assert len({s.style.color for s in strip if s.text.startswith(("╭", "─"))}) == 1
        assert edges[0] != edges[1]
