"""The page of a node on the screen: neighbours, scrolling, keys, lost and gone nodes, its looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.tui.views.cluster import log as cluster_log
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


async def opened(pilot: Pilot[Any], name: str) -> str:
    app_of(pilot).push_screen(NodeView(name))
    return await seen(pilot, lambda t: f"› {name}" in t)


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "160x48"])
@pytest.mark.parametrize("state", ["up", "lost"])
async def test_the_page_looks_as_it_should(state: str, size: tuple[int, int]) -> None:
    store = filled(2)
    if state == "lost":
        lose(store, "spark-02")
    async with over(store, size) as pilot:
        await opened(pilot, "spark-02")
        await pilot.pause()
        same_as_snapshot(f"node-{state}-{size[0]}x{size[1]}", screen_text(pilot))


async def test_it_is_a_page_of_the_cluster_view() -> None:
    async with over(filled(2)) as pilot:
        assert "[1 Cluster]" in await opened(pilot, "spark-02")


async def test_brackets_go_round_the_neighbours() -> None:
    async with over(filled(3)) as pilot:
        await opened(pilot, "spark-02")
        for key, name in (("]", "spark-03"), ("]", "spark-01"), ("[", "spark-03")):
            await pilot.press({"]": "right_square_bracket", "[": "left_square_bracket"}[key])
            assert f"› {name}" in await seen(pilot, lambda t, n=name: f"› {n}" in t)  # type: ignore[misc]


async def test_what_has_no_room_is_a_scroll_away() -> None:
    async with over(filled(2)) as pilot:
        assert "kernel" not in await opened(pilot, "spark-02")
        await pilot.press("end")
        text = await seen(pilot, lambda t: "kernel" in t)
        assert "VLLM::Worker" in text


async def test_its_keys_are_about_this_node(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over(filled(3)) as pilot:
        await opened(pilot, "spark-02")
        words: list[tuple[str, ...]] = []
        monkeypatch.setattr(app_of(pilot), "say", lambda said, **_: words.append(tuple(said)))
        await pilot.press("R", "D", "s", "y")
        assert words == [("node", "restart", "spark-02"), ("stop",), ("node", "shell", "spark-02")]
        assert app_of(pilot).clipboard == "192.168.177.12"


async def test_a_node_that_was_removed_is_said_to_be_gone() -> None:
    store = filled(2)
    async with over(store) as pilot:
        await opened(pilot, "spark-02")
        store.regroup(stores.cluster(1))
        assert "no longer part of the cluster" in await seen(pilot, lambda t: "no longer" in t)
        await pilot.press("R", "right_square_bracket", "escape")
        assert "›" not in await seen(pilot, lambda t: "›" not in t)


async def test_a_still_page_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with over(filled(2)) as pilot:
        await opened(pilot, "spark-02")
        await seen(pilot)
        drawn: list[Lines] = []
        monkeypatch.setattr(Lines, "show", lambda self, _: drawn.append(self))
        for _ in range(5):
            app_of(pilot).view.sample()
        assert drawn == []
