"""The Logs view: sources, nodes, levels, filter, search, saving, and reading only while somebody looks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from sparkconsole.fleet.fleet import Fleet
from sparkconsole.fleet.logs.sources import Source, Stamped
from sparkconsole.tui.views.cluster.log import ClusterLog
from sparkconsole.tui.views.logs.view import LogsView
from tests.tui.harness import SIZES, app_of, console, same_as_snapshot, scene, screen_text, seen, soon
from tests.tui.stores import filled, over

LINES = (
    ("2026-01-31T10:41:07.112Z", "INFO 01-31 10:41:07 [loggers.py:257] Engine 000: Avg prompt 812.0"),
    ("2026-01-31T10:41:21.771Z", "spark:311:402 [0] NCCL WARN NET/IB : Got async event : port error"),
    ("2026-01-31T10:41:22.001Z", "(EngineCore_0 pid=311) ERROR 01-31 10:41:22 EngineCore died [/x]"),
    ("2026-01-31T10:41:33.508Z", "INFO:     POST /v1/chat/completions HTTP/1.1 200 OK"),
)  # fmt: skip


class Fixed:
    """A source that tells four lines and then nothing."""

    name = "serve"

    def __init__(self, node: str) -> None:
        self.node, self.key, self.ends = node, f"serve {node}", True

    async def lines(self, fleet: Fleet, *, follow: bool, tail: int | None) -> AsyncIterator[Stamped]:
        for line in LINES:
            yield line


@pytest.fixture(autouse=True)
def _fixed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def sources(view: LogsView) -> list[Source]:
        nodes = [n for n in view.console.store.nodes if not view.nodes or n in view.nodes]
        return [Fixed(node) for node in nodes[:2]] if view.source in ("all", "serve") else []

    monkeypatch.setattr(LogsView, "_sources", sources)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")


def logs(pilot: Pilot[Any]) -> LogsView:
    view = app_of(pilot).view
    assert isinstance(view, LogsView)
    return view


async def opened(pilot: Pilot[Any]) -> str:
    await pilot.press("2")
    return await seen(pilot, lambda t: "200 OK" in t)


@pytest.mark.parametrize("nodes", [0, 1, 2, 4, 8, 64])
async def test_the_logs_look_as_they_should(nodes: int) -> None:
    for size in SIZES:
        async with over(filled(nodes), size) as pilot:
            await pilot.press("2")
            if nodes:
                await seen(pilot, lambda t: "200 OK" in t)
                await soon(lambda p=pilot: len(logs(p).log_view.ring) == 4 * min(nodes, 2), "all lines")  # type: ignore[misc]
                logs(pilot)._totals.clear()
            same_as_snapshot(f"logs-{nodes}-{size[0]}x{size[1]}", await seen(pilot))


async def test_a_level_hides_what_is_below_and_errors_are_found() -> None:
    async with console() as pilot:
        assert "POST /v1" in await opened(pilot)
        await pilot.press("plus", "plus")
        text = await seen(pilot, lambda t: "≥ warning" in t)
        assert "POST /v1" not in text
        assert "NCCL WARN" in text
        await pilot.press("minus", "minus", "e")
        assert "EngineCore_0" in await seen(pilot)
        assert logs(pilot).log_view.follow is False


async def test_a_filter_and_a_search_are_two_things_and_esc_peels_them() -> None:
    async with console() as pilot:
        await opened(pilot)
        await pilot.press("slash", *"nccl", "enter")
        text = await seen(pilot, lambda t: "filter: nccl" in t)
        assert "POST /v1" not in text
        await pilot.press("s", *"event", "enter")
        assert "matches 2" in await seen(pilot, lambda t: "matches 2" in t)
        await pilot.press("n", "p")
        await pilot.press("escape")
        assert "matches –" in await seen(pilot)
        await pilot.press("escape")
        assert "filter: none" in await seen(pilot, lambda t: "POST /v1" in t)


async def test_sources_and_nodes_are_chosen_by_keys() -> None:
    async with console() as pilot:
        await opened(pilot)
        await pilot.press("right_square_bracket")
        await seen(pilot, lambda t: "◂ serve ▸" in t)
        await pilot.press("right_square_bracket")
        assert "nothing to read" in await seen(pilot, lambda t: "◂ container ▸" in t)
        await pilot.press("left_square_bracket", "a")
        await seen(pilot, lambda t: "nodes spark-01" in t)
        assert logs(pilot).selected_nodes() == ("spark-01",)
        await soon(lambda: len(logs(pilot).log_view.ring) == 4, "the lines of one node")


async def test_where_no_line_came_yet_none_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.LINES", ())
    async with console() as pilot:
        await pilot.press("2")
        assert "no lines yet" in await seen(pilot, lambda t: "source ◂" in t)


async def test_a_mark_stands_under_the_newest_line() -> None:
    async with console() as pilot:
        await opened(pilot)
        await pilot.press("m")
        assert "── mark " in await seen(pilot)


async def test_what_is_shown_is_saved_for_nobody_else(tmp_path: Path) -> None:
    async with console() as pilot:
        await opened(pilot)
        await soon(lambda: len(logs(pilot).log_view.ring) == 8, "all lines")
        await seen(pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        (saved,) = (tmp_path / "state" / "sparkconsole" / "logs").iterdir()
        assert saved.stat().st_mode & 0o777 == 0o600
        assert saved.read_text().count("EngineCore died [/x]") == 2


async def test_a_view_that_is_not_seen_reads_nothing() -> None:
    async with console() as pilot:
        await opened(pilot)
        view = logs(pilot)
        await pilot.press("1")
        await soon(lambda: view.log_view.feed is not None and not view.log_view.feed.reading, "it rests")
        await pilot.press("2")
        await soon(lambda: view.log_view.feed is not None and view.log_view.feed.reading, "it reads on")
        assert "POST /v1" in screen_text(pilot)


async def test_a_finding_is_marked_and_says_why() -> None:
    async with console(nodes=1, size=SIZES[0]) as pilot:
        text = await opened(pilot)
        marked = [line for line in text.splitlines() if "✖" in line]
        assert any("async event" in line for line in marked), "what is known to be bad has a glyph"
        assert not any("Avg prompt" in line or "200 OK" in line for line in marked)
        await pilot.press("g", "x")
        await soon(lambda: logs(pilot).log_view.chosen is not None, "a finding was gone to")
        chosen = logs(pilot).log_view.chosen
        assert chosen is not None
        await pilot.press("enter")
        text = await seen(pilot, lambda t: " why " in t and " do " in t)
        assert chosen.text in text
        await pilot.press("escape")


async def test_why_without_a_finding_chosen_explains_all_that_is_shown() -> None:
    async with console(nodes=2, size=SIZES[0]) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        text = await seen(pilot, lambda t: " why " in t)
        assert "asynchronous" in text.lower() or "port" in text.lower()
        assert text.index("NET/IB") < (text.index("What follows") if "What follows" in text else len(text))


async def test_a_calm_log_has_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.tui.test_logs_view.LINES", LINES[:1] + LINES[3:])
    async with console(nodes=1, size=SIZES[0]) as pilot:
        await opened(pilot)
        await pilot.press("x")
        assert logs(pilot).log_view.chosen is None
        await pilot.press("enter")
        await seen(pilot, lambda t: "no sign of life" in t)


async def test_who_comes_back_to_the_cluster_finds_every_line_of_its_log_once() -> None:
    async with scene("launched", size=SIZES[1]) as (pilot, clock):
        log = app_of(pilot).view.query_one(ClusterLog)
        await seen(pilot)
        await soon(lambda: len(log.ring) > 0, "there are lines")
        before = [line.text for line in log.ring]
        await pilot.press("8")
        await pilot.pause()
        await clock.advance(1)
        await pilot.press("1")
        for _ in range(4):
            await clock.advance(1)
            await seen(pilot)
        assert [line.text for line in log.ring] == before
