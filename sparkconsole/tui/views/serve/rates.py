"""Generated and prompt tokens a second, as two areas beside each other."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.containers import Horizontal

from sparkconsole.fleet.store import Store
from sparkconsole.model.text.units import token_rate
from sparkconsole.tui.draw.charts import area
from sparkconsole.tui.widgets.styled_text import StyledText

KINDS = {"generated": "generated", "prompted": "prompt"}


class Rates(Horizontal):
    """A value per reading of /metrics, newest on the right."""

    DEFAULT_CSS = """
    Rates { height: 10; }
    Rates .pane { width: 1fr; height: 100%; }
    """

    def compose(self) -> ComposeResult:
        """A pane each."""
        for kind in KINDS:
            yield StyledText(id=f"serve-{kind}", classes="pane")

    def show(self, store: Store) -> None:
        """Draws what the store has."""
        pairs = (
            ("generated", store.generated, store.server.generated_per_s),
            ("prompted", store.prompted, store.server.prompt_per_s),
        )
        for kind, series, rate in pairs:
            pane = self.query_one(f"#serve-{kind}", StyledText)
            pane.border_title = f"{KINDS[kind]} · {token_rate(rate)}"
            pane.draw(partial(area, tuple(series)))
