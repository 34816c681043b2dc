"""A panel's title and note are one line of text, whatever is in them."""

from __future__ import annotations

import pytest
from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Input

from sparkconsole.tui.widgets.panel import Panel, headline
from tests.tui.tiny import HOSTILE, lines, tiny


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
