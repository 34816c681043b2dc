"""The log view: the reader's place, filters, search, marks, and text that no machine should print."""

from __future__ import annotations

from itertools import pairwise

import pytest
from textual.app import App, ComposeResult

from sparkconsole.fleet.logs.ring import LineRing
from sparkconsole.model.logs.line import Level, LogLine, log_line
from sparkconsole.tui.draw.log_head import breaks
from sparkconsole.tui.widgets.log_view import LogView

HOSTILE = (
    "[/x] [red]markup[/red]",
    "\x1b[31mred\x1b[0m and \x1b[2Jgone",
    "10%\r50%\r100%",
    "a\x00b\x07",
    "宽字符宽字符 é́́ 👩‍👩‍👧",
    "x" * 100_000,
    "",
)


class Reader(App[None]):
    """Nothing but a log."""

    def __init__(self, ring: LineRing[LogLine]) -> None:
        super().__init__()
        self.log_view = LogView(ring)

    def compose(self) -> ComposeResult:
        yield self.log_view


def ring(*lines: str, capacity: int = 10_000) -> LineRing[LogLine]:
    filled: LineRing[LogLine] = LineRing(capacity)
    for line in lines:
        filled.append(log_line(line))
    return filled


def shown(app: App[None]) -> list[str]:
    strips = app.screen._compositor.render_strips()
    return [strip.text.rstrip(" ▁▂▃▄▅▆▇█▎┃") for strip in strips]


async def test_new_lines_are_followed() -> None:
    app = Reader(ring(*(f"line {n}" for n in range(100))))
    async with app.run_test(size=(40, 10)) as pilot:
        app.log_view.sample()
        await pilot.pause()
        assert shown(app)[-1].startswith("line 99")
        app.log_view.ring.append(log_line("line 100"))
        app.log_view.sample()
        await pilot.pause()
        assert shown(app)[-1].startswith("line 100")


async def test_a_reader_keeps_the_place_while_twenty_thousand_lines_fall_off() -> None:
    app = Reader(ring(*(f"line {n}" for n in range(1000)), capacity=1000))
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.log_view
        view.sample()
        await pilot.pause()
        view.scroll_to(y=900, animate=False, immediate=True)
        await pilot.pause()
        assert view.follow is False
        assert shown(app)[0].startswith("line 900")
        for batch in range(8):
            for n in range(100):
                view.ring.append(log_line(f"later {batch * 100 + n}"))
            view.sample()
            await pilot.pause()
        assert shown(app)[0].startswith("line 900"), "it is still kept, so it stays where it was"
        for n in range(20_000):
            view.ring.append(log_line(f"much later {n}"))
        view.sample()
        await pilot.pause()
        assert view.follow is False
        assert shown(app)[0].startswith("much later 19000"), "the oldest line there is"


async def test_reaching_the_end_follows_again() -> None:
    app = Reader(ring(*(f"line {n}" for n in range(100))))
    async with app.run_test(size=(40, 10)) as pilot:
        app.log_view.sample()
        await pilot.pause()
        app.log_view.focus()
        await pilot.press("pageup")
        await pilot.pause()
        assert app.log_view.follow is False
        await pilot.press("end")
        await pilot.pause()
        assert app.log_view.follow is True


async def test_hostile_text_is_only_text() -> None:
    for wrap in (False, True):
        app = Reader(ring(*HOSTILE))
        async with app.run_test(size=(40, 10)) as pilot:
            app.log_view.wrap = wrap
            app.log_view.sample()
            app.log_view.scroll_home(animate=False, immediate=True)
            await pilot.pause()
            lines = shown(app)
            assert lines[0].startswith("[/x] [red]markup[/red]")
            assert lines[1].startswith("red and gone")
            assert lines[2].startswith("100%")
            assert lines[3].startswith("ab")


async def test_a_filter_shows_only_its_lines_and_gives_the_others_back() -> None:
    app = Reader(ring("one NCCL", "two", "three nccl", "[4"))
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.log_view
        view.sample()
        for text, left in (("nccl", 2), ("/^t/", 2), ("[4", 1), ("/[/", 0), ("", 4)):
            view.filter(text)
            await pilot.pause()
            assert len([line for line in shown(app) if line]) == left, text


async def test_a_level_hides_what_is_below() -> None:
    app = Reader(ring("INFO a", "WARNING b", "ERROR c"))
    async with app.run_test(size=(40, 10)) as pilot:
        app.log_view.sample()
        app.log_view.least = Level.ERROR
        await pilot.pause()
        assert [line for line in shown(app) if line] == ["ERROR c"]


async def test_search_goes_round_the_matches_and_errors() -> None:
    app = Reader(ring(*(f"line {n}{' ERROR: x' if n % 50 == 7 else ''}" for n in range(200))))
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.log_view
        view.sample()
        await pilot.pause()
        assert view.search("x") == 4
        for step, expected in ((1, 7), (1, 57), (-1, 7), (-1, 157), (1, 7)):
            view.scroll_home(animate=False, immediate=True) if view._at is None else None
            assert view.next_match(step)
            await pilot.pause()
            assert any(line.startswith(f"line {expected} ") for line in shown(app)), (step, expected)
        assert view.next_error()
        assert view.search("nowhere") == 0
        assert not view.next_match(1)


async def test_a_mark_stands_under_its_line() -> None:
    app = Reader(ring("before"))
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.log_view
        view.sample()
        view.mark("mark 10:41:30")
        view.ring.append(log_line("after"))
        view.sample()
        await pilot.pause()
        lines = shown(app)
        assert lines[0].startswith("before")
        assert lines[1].startswith("── mark 10:41:30 ──")
        assert lines[2].startswith("after")


async def test_wrapping_loses_nothing() -> None:
    words = " ".join(f"word{n}" for n in range(40))
    app = Reader(ring(words))
    async with app.run_test(size=(40, 20)) as pilot:
        app.log_view.wrap = True
        app.log_view.sample()
        await pilot.pause()
        assert " ".join(" ".join(shown(app)).split()) == words


async def test_a_storm_of_sizes_does_no_harm() -> None:
    app = Reader(ring(*(f"line {n} " + "x" * n for n in range(300))))
    async with app.run_test(size=(80, 24)) as pilot:
        app.log_view.sample()
        for wrap in (True, False):
            app.log_view.wrap = wrap
            for width, height in ((1, 1), (20, 5), (200, 60), (80, 24)):
                await pilot.resize_terminal(width, height)
                await pilot.pause()
        assert any("line 299" in line for line in shown(app))


async def test_the_text_is_given_as_it_is_shown() -> None:
    app = Reader(ring("\x1b[31mred\x1b[0m [/x]", "two"))
    async with app.run_test():
        app.log_view.sample()
        assert app.log_view.all_text() == "red [/x]\ntwo"


async def test_a_selection_stays_with_its_lines_while_others_fall_off() -> None:
    app = Reader(ring(*(f"line {n}" for n in range(100)), capacity=100))
    async with app.run_test(size=(40, 10)) as pilot:
        view = app.log_view
        view.sample()
        await pilot.pause()
        await pilot.mouse_down(view, offset=(0, 2))
        await pilot.hover(view, offset=(6, 3))
        await pilot.mouse_up(view, offset=(6, 3))
        selected = app.screen.get_selected_text()
        assert selected == "line 92\nline 93"
        for n in range(5):
            view.ring.append(log_line(f"later {n}"))
        view.sample()
        await pilot.pause()
        assert app.screen.get_selected_text() == selected
        for n in range(200):
            view.ring.append(log_line(f"much later {n}"))
        view.sample()
        await pilot.pause()
        assert app.screen.get_selected_text() == "", "what fell off is not mistaken for what came"


@pytest.mark.parametrize(
    ("text", "width", "rows"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one  two", 4, ["one", "two"]),
        ("abcdefghij kl", 4, ["abcd", "efgh", "ij", "kl"]),
        ("    File x", 6, ["    Fi", "le x"]),
        ("宽字符宽", 5, ["宽字", "符宽"]),
        ("éééé", 2, ["éé", "éé"]),
        ("宽宽", 1, ["宽", "宽"]),
        ("", 5, [""]),
    ],
)
def test_rows_break_at_words_and_fit(text: str, width: int, rows: list[str]) -> None:
    at = [0, *breaks(text, width), len(text)]
    assert [text[a:b].rstrip() for a, b in pairwise(at)] == rows
