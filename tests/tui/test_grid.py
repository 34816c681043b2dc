"""The table: what is shown, where the cursor is, and that nothing said by a machine breaks it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from rich.cells import cell_len
from rich.text import Text
from textual.pilot import Pilot

from sparkconsole.tui.draw.columns import Column, TableRow, natural, ordered, places
from sparkconsole.tui.widgets.grid import SheetTable
from tests.tui.tiny import HOSTILE, Tiny, lines, screen, tiny

COLUMNS = (
    Column("node", "NODE", min=6),
    Column("role", "ROLE", drop=1),
    Column("gpu", "GPU%", width=5, align="right", descending=True),
    Column("image", "IMAGE", drop=3),
)


def node(number: int, gpu: float | None = 10.0, role: str = "worker") -> TableRow:
    shown = "–" if gpu is None else f"{gpu:.0f}%"
    cells = (Text.assemble(("● ", "$node-up"), f"spark-{number}"), role, shown, "9f3c1a")
    return TableRow(f"spark-{number}", cells, order=(number, role, gpu, "9f3c1a"))


def nodes(count: int) -> list[TableRow]:
    return [node(n, gpu=n % 7) for n in range(1, count + 1)]


def told(pilot: Pilot[None], kind: type[Any]) -> list[Any]:
    return [m for m in cast("Tiny", pilot.app).got if isinstance(m, kind)]


async def test_columns_and_rows_stand_under_each_other() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table, size=(40, 5)) as pilot:
        table.show([node(1, 71.4, "HEAD"), node(10, None)])
        await pilot.pause()
        assert lines(pilot) == [
            " NODE        ROLE     GPU%  IMAGE",
            "▌● spark-1   HEAD      71%  9f3c1a",
            " ● spark-10  worker      –  9f3c1a",
            "",
            "",
        ]


async def test_narrow_terminals_lose_columns_in_their_order_then_width() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table, size=(40, 3)) as pilot:
        table.show([node(1)])
        shown = []
        for width in (40, 28, 20, 13, 1):
            await pilot.resize_terminal(width, 3)
            await pilot.pause()
            shown.append(lines(pilot)[0])
        assert shown == [
            " NODE       ROLE     GPU%  IMAGE",
            " NODE       ROLE     GPU%",
            " NODE        GPU%",
            " NODE     GPU",
            "",
        ]


def test_a_growing_column_takes_what_is_left() -> None:
    columns = (Column("a", "A", width=4), Column("b", "B", min=3, max=10, grow=True))
    assert [p.width for p in places(columns, [4, 5], 30)] == [4, 24]
    assert [p.width for p in places(columns, [4, 50], 10)] == [4, 4]
    assert places((), [], 10) == ()


async def test_what_looks_the_same_is_not_drawn_again() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table) as pilot:
        table.show(nodes(5))
        await pilot.pause()
        drawn = []
        table.refresh = lambda *a, **k: drawn.append(a) or table  # type: ignore[method-assign,assignment,func-returns-value]
        table.show(nodes(5))
        assert drawn == []
        table.show([*nodes(4), node(5, 99)])
        assert drawn != []


async def test_another_colour_alone_is_drawn_again() -> None:
    """Rich finds two texts equal that differ in their style only."""
    table = SheetTable((Column("a", "A"),))
    async with tiny(table) as pilot:
        colours = []
        for style in ("$node-up", "$node-lost"):
            table.show([TableRow("x", (Text("word", style),)), TableRow("y", ("y",))])
            await pilot.pause()
            colours.append(next(s.style.color for s in table.render_line(1) if s.text.startswith("word")))
        assert colours[0] != colours[1]


async def test_the_cursor_stays_with_its_row() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table) as pilot:
        table.show(nodes(6))
        table.cursor_key = "spark-4"
        table.show(list(reversed(nodes(6))))
        assert table.cursor_key == "spark-4"
        table.show([r for r in nodes(6) if r.key != "spark-4"])
        assert table.cursor_key == "spark-3"
        table.show([])
        assert table.cursor_key is None
        table.show(nodes(2))
        assert table.cursor_key == "spark-1"
        await pilot.pause()
        keys = [m.key for m in told(pilot, SheetTable.RowHighlighted)]
        assert keys[:2] == ["spark-1", "spark-4"]
        assert None in keys
        assert keys[-1] == "spark-1"


async def test_the_keyboard_moves_opens_and_scrolls() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table, size=(40, 6)) as pilot:
        table.show(nodes(64))
        table.focus()
        for keys, at in (
            (("down", "j"), 3),
            (("k",), 2),
            (("pagedown",), 6),
            (("end",), 64),
            (("down",), 64),
        ):
            await pilot.press(*keys)
            assert table.cursor_key == f"spark-{at}"
            await pilot.pause()
            assert f"▌● spark-{at} " in screen(pilot)
        await pilot.press("home", "enter")
        await pilot.pause()
        assert [m.key for m in told(pilot, SheetTable.RowOpened)] == ["spark-1"]
        assert "▌● spark-1 " in lines(pilot)[1]


async def test_the_mouse_chooses_opens_sorts_and_scrolls() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table, size=(40, 6)) as pilot:
        table.show(nodes(20))
        await pilot.click(table, offset=(5, 3))
        assert table.cursor_key == "spark-3"
        assert told(pilot, SheetTable.RowOpened) == []
        await pilot.click(table, offset=(5, 2), times=2)
        assert [m.key for m in told(pilot, SheetTable.RowOpened)] == ["spark-2"]
        await pilot.click(table, offset=(5, 0))
        assert table.sorted_by == ("node", False)
        await pilot.click(table, offset=(5, 0))
        assert table.sorted_by == ("node", True)
        assert table.cursor_key == "spark-2"
        table.scroll_to(y=0, animate=False, immediate=True)
        table.post_message_no_wait = None  # type: ignore[attr-defined]
        await pilot._post_mouse_events(
            [__import__("textual.events", fromlist=["x"]).MouseScrollDown], table, (5, 2), 0
        )
        await pilot.pause()
        assert table.scroll_offset.y > 0
        await pilot.hover(table, offset=(5, 2))
        await pilot.click(table, offset=(39, 5))


async def test_a_reader_who_scrolled_away_is_left_there() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table, size=(40, 6)) as pilot:
        table.show(nodes(64))
        await pilot.pause()
        table.scroll_to(y=30, animate=False, immediate=True)
        table.show([node(n, gpu=3) for n in range(1, 65)])
        await pilot.pause()
        assert table.scroll_offset.y == 30


async def test_keys_sort_by_the_next_column_and_back_to_as_given() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table, size=(50, 8)) as pilot:
        table.show([node(2, None), node(10, 5), node(1, 90)])
        table.focus()
        seen = []
        for key in (".", ".", ".", ".", ".", ","):
            await pilot.press("full_stop" if key == "." else "comma")
            seen.append((*table.sorted_by, table.keys))
        assert seen[0] == ("node", False, ("spark-1", "spark-2", "spark-10"))
        assert seen[2] == ("gpu", True, ("spark-1", "spark-10", "spark-2"))
        assert seen[4] == (None, False, ("spark-2", "spark-10", "spark-1"))
        assert seen[5][0] == "image"
        table.sort("gpu")
        await pilot.pause()
        assert "GPU%▼" in lines(pilot)[0]


def test_numbers_in_names_sort_as_numbers_and_unknown_last() -> None:
    rows = [TableRow(k, (k,)) for k in ("n10", "–", "N2", "", "n1.5", "n")]
    assert [r.key for r in ordered(rows, 0)] == ["n", "n1.5", "N2", "n10", "–", ""]
    assert [r.key for r in ordered(rows, 0, descending=True)][-2:] == ["–", ""]
    mixed = [
        TableRow(str(i), ("",), order=(v,)) for i, v in enumerate((3, "x", None, float("nan"), True, 1.5))
    ]
    assert [r.key for r in ordered(mixed, 0)] == ["4", "5", "0", "1", "2", "3"]
    assert natural("٣") == natural("٣")


async def test_a_filter_shows_only_what_has_it_and_says_when_nothing_has() -> None:
    table = SheetTable(COLUMNS, empty="No nodes yet.")
    async with tiny(table) as pilot:
        await pilot.pause()
        assert "No nodes yet." in screen(pilot)
        table.empty = "No nodes at all."
        await pilot.pause()
        assert "No nodes at all." in screen(pilot)
        table.show([*nodes(12), TableRow("other", ("x", "", "", ""), find="192.168.1.7")])
        table.filter("SPARK-1")
        assert table.keys == ("spark-1", "spark-10", "spark-11", "spark-12")
        table.filter("168.1.7")
        assert table.keys == ("other",)
        assert table.cursor_key == "other"
        table.filter("[/x]")
        await pilot.pause()
        assert "nothing has “[/x]”" in screen(pilot)
        assert table.cursor_key is None
        await pilot.press("enter")
        table.filter("")
        assert len(table.keys) == 13


async def test_marks_belong_to_rows_and_only_what_is_seen_is_acted_on() -> None:
    table = SheetTable(COLUMNS, marking=True)
    async with tiny(table) as pilot:
        table.show(nodes(4))
        table.focus()
        assert table.selected == ("spark-1",)
        await pilot.press("space", "space")
        assert table.selected == table.marked == ("spark-1", "spark-2")
        table.show(list(reversed(nodes(4))))
        await pilot.pause()
        assert [line[:2] for line in lines(pilot)[1:5]] == ["  ", "▌ ", " ◆", " ◆"]
        table.filter("spark-2")
        assert table.selected == ("spark-2",)
        table.filter("")
        table.show([node(2), node(3)])
        assert table.marked == ("spark-2",)
        assert table.unmark()
        assert table.marked == ()
        assert not table.unmark()


async def test_where_nothing_can_be_marked_space_marks_nothing() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table) as pilot:
        table.show(nodes(2))
        table.focus()
        await pilot.press("space")
        assert table.marked == ()


@pytest.mark.parametrize("width", [1, 2, 7, 30, 80])
async def test_hostile_text_in_every_field_keeps_the_columns(width: int) -> None:
    right = Column("c", "C", align="right", max=9, drop=1)
    columns = (Column("a", "[/x]", min=4, max=12), Column("b", "B", width=6), right)
    rows: Sequence[TableRow] = [
        TableRow(f"{n}", (text, Text(text, "bold $node-up"), Text.assemble((text, "$nothing"))))
        for n, text in enumerate(HOSTILE)
    ]
    table = SheetTable(columns, marking=True)
    async with tiny(table, size=(width, 24)) as pilot:
        table.show(
            [*rows, TableRow("short", ("x",)), TableRow("long", tuple("abcdefgh")), TableRow("none", ())]
        )
        table.filter("[/x")
        table.filter("")
        table.sort("c")
        await pilot.pause()
        text = screen(pilot)
        assert not any(ch < " " and ch != "\n" for ch in text)
        assert "\x9b" not in text
        assert "\u202e" not in text
        text.encode()
        for y in range(20):
            strip = table.render_line(y)
            assert strip.cell_length == cell_len(strip.text) == table.size.width


async def test_of_two_rows_with_one_key_the_last_counts() -> None:
    table = SheetTable((Column("a", "A"),))
    async with tiny(table):
        table.show([TableRow("x", ("one",)), TableRow("x", ("two",))])
        assert table.keys == ("x",)


async def test_resize_storms_and_changing_rows_at_once() -> None:
    table = SheetTable(COLUMNS, marking=True)
    async with tiny(table) as pilot:
        table.focus()
        for n in range(12):
            table.show(nodes((n * 37) % 70))
            await pilot.press("end" if n % 3 else "pageup")
            await pilot.resize_terminal(1 + (n * 53) % 120, 1 + (n * 31) % 40)
        await pilot.resize_terminal(60, 12)
        table.show(nodes(64))
        table.cursor_key = "spark-64"
        await pilot.pause()
        assert "▌ ● spark-64" in screen(pilot)


async def test_a_change_of_theme_changes_the_colours() -> None:
    table = SheetTable(COLUMNS)
    async with tiny(table) as pilot:
        table.show(nodes(3))
        await pilot.pause()
        seen = set()
        for theme in ("spark-dark", "spark-light", "spark-tritanopia"):
            pilot.app.theme = theme
            await pilot.pause()
            seen.add(tuple(s.style for s in table.render_line(2)))
        assert len(seen) == 3


async def test_without_colour_the_cursor_is_reversed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    table = SheetTable(COLUMNS)
    async with tiny(table) as pilot:
        table.show(nodes(3))
        table.focus()
        await pilot.pause()
        assert all(s.style and s.style.reverse for s in table.render_line(1))
        assert not any(s.style and s.style.reverse for s in table.render_line(2))
