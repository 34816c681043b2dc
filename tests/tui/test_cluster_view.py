"""The Cluster view on the screen: cursor, marks, sorting, filter, what its keys say, its looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from textual.pilot import Pilot

from sparkconsole.fleet.store import Reachability, ServerPhase, Store
from sparkconsole.tui.views.cluster import log as cluster_log
from sparkconsole.tui.views.cluster.board import Board
from sparkconsole.tui.views.node.view import NodeView
from sparkconsole.tui.widgets.lines import Lines
from tests.tui import stores
from tests.tui.harness import SIZES, app_of, same_as_snapshot, screen_text, seen
from tests.tui.stores import filled, lose, over


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody's configuration, the same time everywhere, and no log."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(cluster_log, "sources", lambda _: ())


def board(pilot: Pilot[Any]) -> Board:
    return app_of(pilot).view.query_one(Board)


def said(pilot: Pilot[Any], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the keys would do, in words."""
    words: list[tuple[str, ...]] = []

    def hear(said: Sequence[str], *, shown: bool = False) -> None:
        words.append(tuple(said))

    monkeypatch.setattr(app_of(pilot), "say", hear)
    return words


# --- looks


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
@pytest.mark.parametrize("nodes", [0, 1, 2, 4, 8, 64])
async def test_the_cluster_looks_as_it_should(nodes: int, size: tuple[int, int]) -> None:
    store = filled(nodes)
    if nodes >= 8:
        lose(store, "spark-05")
    async with over(store, size) as pilot:
        same_as_snapshot(f"cluster-{nodes}-{size[0]}x{size[1]}", screen_text(pilot))


async def test_before_anything_is_known_it_says_to_whom_it_connects() -> None:
    async with over(Store(stores.cluster(2))) as pilot:
        text = screen_text(pilot)
        assert "connecting to spark-01 …" in text
        assert "connecting to 2 nodes …" in text
        assert "not asked yet …" in text


async def test_a_lost_node_is_the_problem_below_and_the_others_stay() -> None:
    store = filled(2)
    lose(store, "spark-02")
    async with over(store) as pilot:
        text = screen_text(pilot)
        assert "✖ spark-02 lost 48s ago" in text
        assert "97.4/119.7" in text, "its last values stay"
        assert "● spark-01" in text


async def test_a_lost_head_makes_the_served_model_unknown_not_stopped() -> None:
    store = filled(2)
    lose(store, "spark-01")
    store.serve(phase=ServerPhase.UNKNOWN)
    async with over(store) as pilot:
        text = screen_text(pilot)
        assert "the head, spark-01, does not answer" in text
        assert "– unknown" in text


async def test_a_still_screen_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(2)
    store.serve(since_s=None)
    async with over(store) as pilot:
        drawn: list[Lines] = []
        real = Lines.show

        def show(self: Lines, lines: Sequence[Text]) -> None:
            drawn.append(self)
            real(self, lines)

        monkeypatch.setattr(Lines, "show", show)
        for _ in range(5):
            app_of(pilot).view.sample()
        assert drawn == []
        store.update("spark-01", ray_alive=False)
        app_of(pilot).view.sample()
        assert drawn, "another version is drawn"


async def test_an_age_that_is_shown_goes_on_though_nothing_else_changes() -> None:
    store = filled(2)
    lose(store, "spark-02")
    async with over(store) as pilot:
        app_of(pilot).clock.go_on(3)  # type: ignore[attr-defined]
        assert "lost 51s" in await seen(pilot, lambda t: "lost 51s" in t)


async def test_readings_that_stop_are_never_silently_stale() -> None:
    async with over(filled(2)) as pilot:
        assert " old" not in screen_text(pilot)
        app_of(pilot).clock.go_on(20)  # type: ignore[attr-defined]
        assert "20s old" in await seen(pilot, lambda t: " old" in t)


# --- moving about


async def test_the_cursor_walks_over_cards_by_arrows_and_by_jk() -> None:
    async with over(filled(4)) as pilot:
        seen_at = [board(pilot).cursor]
        for key in ("right", "down", "left", "k", "j", "end", "home", "right"):
            await pilot.press(key)
            seen_at.append(board(pilot).cursor)
        assert seen_at == [f"spark-0{i}" for i in (1, 2, 4, 3, 1, 3, 4, 1, 2)]
        assert "┏ ● spark-02" in "".join(screen_text(pilot).split("╮")), "it needs no colour to be seen"


async def test_the_table_scrolls_with_the_cursor() -> None:
    async with over(filled(64)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert "▸ ● spark-64" in await seen(pilot, lambda t: "spark-64" in t)
        await pilot.press("pageup")
        assert board(pilot).cursor == "spark-49"
        await pilot.press("home")
        assert "▸ ● spark-01" in await seen(pilot, lambda t: "▸ ● spark-01" in t)


async def test_a_click_selects_and_two_open() -> None:
    async with over(filled(4)) as pilot:
        await pilot.click(Board, offset=(50, 8))
        assert board(pilot).cursor == "spark-04"
        await pilot.click(Board, offset=(50, 1), times=2)
        await pilot.pause()
        assert isinstance(app_of(pilot).view, NodeView)
        assert "› spark-02" in await seen(pilot)


async def test_enter_opens_and_esc_comes_back() -> None:
    async with over(filled(2)) as pilot:
        await pilot.press("right", "enter")
        assert "› spark-02" in await seen(pilot, lambda t: "›" in t)
        await pilot.press("escape")
        assert "›" not in await seen(pilot, lambda t: "›" not in t)
        assert board(pilot).cursor == "spark-02"


async def test_n_goes_from_problem_to_problem() -> None:
    store = filled(64)
    lose(store, "spark-40")
    lose(store, "spark-07")
    async with over(store) as pilot:
        found = []
        for _ in range(3):
            await pilot.press("n")
            found.append(board(pilot).cursor)
        assert found == ["spark-07", "spark-40", "spark-07"]


async def test_v_changes_between_cards_and_table() -> None:
    async with over(filled(2)) as pilot:
        await pilot.press("v")
        assert "NODE" in await seen(pilot, lambda t: "MEM GiB" in t)
        await pilot.press("v")
        assert "┏ ● spark-01" in await seen(pilot, lambda t: "┏" in t)


async def test_sorting_keeps_the_cursor_on_its_node() -> None:
    async with over(filled(8)) as pilot:
        await pilot.press("down", "full_stop", "full_stop", "full_stop")
        text = await seen(pilot, lambda t: "▾" in t)
        assert "▸ ● spark-02" in text
        await pilot.press("comma", "comma", "comma")
        assert "▾" not in await seen(pilot, lambda t: "▾" not in t)


async def test_the_filter_keeps_what_has_the_text_and_esc_takes_it_away() -> None:
    async with over(filled(8)) as pilot:
        await pilot.press("slash", *"rk-03", "enter")
        text = await seen(pilot, lambda t: "1 of 8" in t)
        assert "spark-03" in text
        assert "● spark-04" not in text
        await pilot.press("escape")
        assert "● spark-04" in await seen(pilot, lambda t: "● spark-04" in t)


@pytest.mark.parametrize("count", [2, 64])
async def test_a_filter_that_no_node_has_says_so(count: int) -> None:
    async with over(filled(count)) as pilot:
        await pilot.press("slash", *"zz", "enter")
        assert "no node has “zz”; esc shows all of them" in await seen(pilot, lambda t: "/zz" in t)
        await pilot.press("down", "enter", "escape")
        assert "spark-02" in await seen(pilot, lambda t: "/zz" not in t)


async def test_zoom_gives_the_table_the_whole_body_and_back() -> None:
    async with over(filled(64)) as pilot:
        before = board(pilot).size.height
        await pilot.press("z")
        await seen(pilot, lambda _: board(pilot).size.height > before)
        await pilot.press("escape")
        await seen(pilot, lambda _: board(pilot).size.height == before)


# --- what the keys say


async def test_keys_say_the_verbs_of_the_selected_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over(filled(4)) as pilot:
        words = said(pilot, monkeypatch)
        await pilot.press("right", "R", "s")
        await pilot.press("home", "space", "space", "R", "U", "D")
        assert words == [
            ("node", "restart", "spark-02"),
            ("node", "shell", "spark-02"),
            ("node", "restart", "spark-01", "spark-02"),
            ("launch",),
            ("stop",),
        ]
        assert "◆ 2 marked" in screen_text(pilot)
        await pilot.press("escape", "a", "R")
        assert words[-1] == ("node", "restart", "spark-01", "spark-02", "spark-03", "spark-04")


async def test_trust_is_for_those_that_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(2)
    async with over(store) as pilot:
        words = said(pilot, monkeypatch)
        await pilot.press("T")
        assert words == []
        store.update(
            "spark-02", reach=Reachability.LOST, reading=None, fingerprint="SHA256:abc", reason="unknown"
        )
        assert "SHA256:abc" in await seen(pilot)
        await pilot.press("T")
        assert words == [("node", "trust", "spark-02")]


async def test_read_only_has_no_key_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over(filled(2), read_only=True) as pilot:
        words = said(pilot, monkeypatch)
        await pilot.press("R", "U", "D", "T", "s")
        assert words == [("node", "shell", "spark-01")]
        assert "restart…" not in screen_text(pilot)


async def test_y_copies_the_addresses() -> None:
    async with over(filled(2)) as pilot:
        await pilot.press("a", "y")
        assert app_of(pilot).clipboard == "192.168.177.11 192.168.177.12"


async def test_l_shows_the_logs_of_the_selected_nodes() -> None:
    async with over(filled(2)) as pilot:
        await pilot.press("right", "l")
        await seen(pilot, lambda t: "[2 Logs]" in t)
        assert app_of(pilot).view.nodes == ("spark-02",)  # type: ignore[attr-defined]


# --- bad input


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (60, 16), (20, 5)])
async def test_hostile_text_and_small_terminals_crash_nothing(size: tuple[int, int]) -> None:
    store = filled(4)
    stores.hostile(store, store.nodes)
    async with over(store, size) as pilot:
        for key in ("v", "v", "n", "space", "full_stop", "enter", "end", "escape"):
            await pilot.press(key)
            await pilot.pause()
        await pilot.resize_terminal(120, 40)
        await seen(pilot, lambda text: "[/x]" in text)


async def test_without_nodes_no_key_does_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over(filled(0)) as pilot:
        words = said(pilot, monkeypatch)
        await pilot.press("enter", "space", "a", "v", "n", "R", "s", "y", "T", "comma", "up", "end")
        assert words == []
        assert "No nodes yet" in await seen(pilot)
