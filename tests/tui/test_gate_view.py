"""The fabric test from the console: `t` in the launch view, and its numbers where they are wanted."""

from __future__ import annotations

from textual.widgets import Checkbox

from sparkconsole.tui.views.node.view import NodeView
from sparkconsole.tui.widgets.form import Form
from tests.tui.harness import app_of, screen_text, seen
from tests.tui.test_launch_view import launch_view, own_home, to_page

__all__ = ["own_home"]


async def test_t_tries_the_link_and_the_numbers_stay() -> None:
    async with launch_view() as (pilot, clock, _):
        await to_page(pilot, "network")
        assert "the fabric was never tested: t" in await seen(pilot, lambda t: "never tested" in t)
        await pilot.press("t")
        for _ in range(30):
            await clock.advance(1)
            if "the fabric is healthy" in screen_text(pilot):
                break
        assert "the fabric is healthy" in screen_text(pilot)
        await pilot.press("escape")
        await clock.advance(1)
        assert "Gb/s · t again" in await seen(pilot, lambda t: "t again" in t)
        app_of(pilot).push_screen(NodeView("spark-02"))
        await clock.advance(1)
        assert "tested 190 Gb/s" in await seen(pilot, lambda t: "tested" in t)


async def test_the_gate_is_a_field_and_a_note_of_the_plan() -> None:
    async with launch_view() as (pilot, clock, view):
        form = next(f for f in view.query(Form) if "gate" in f.values)
        form.query_one(Checkbox).value = True
        await clock.advance(3)
        assert "--gate" in view.words()
        await pilot.press("ctrl+j")
        text = await seen(pilot, lambda t: "fabric gate, then launch" in t)
        assert "the fabric gate comes first" in " ".join(text.split())
