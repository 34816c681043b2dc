"""A view over a store that stands still: what the pretend cluster does meanwhile is not seen."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from sparkconsole.fleet.store import Store
from sparkconsole.tui.view import View
from tests.tui.harness import app_of, screen_text
from tests.tui.stores import StillTime

ASKING = ("models", "kept", "remedy", "check")
"""Groups of what a view asks when it is opened."""


async def held(pilot: Pilot[Any], key: str, store: Store) -> View:
    """Opens the view of that key over this store, with the clock stopped."""
    app = app_of(pilot)
    await app.opened.wait()
    app.store, app.clock = store, StillTime()  # type: ignore[assignment]
    await pilot.press(key)
    await drawn(pilot)
    return app.view


async def drawn(pilot: Pilot[Any]) -> str:
    """The screen below the title, whose clock goes on, after everything was drawn."""
    app = app_of(pilot)
    for _ in range(2):
        if asking := [w for w in app.workers if w.group in ASKING]:  # without any, all would be waited for
            await app.workers.wait_for_complete(asking)
        app.view.refresh_now()
        await pilot.pause()
    app.clear_notifications()
    await pilot.pause()
    return "\n".join(screen_text(pilot).splitlines()[1:])
