"""What other consoles do on the nodes, and left there, is looked for as long as this one is open."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sparkconsole.errors import SparkError
from sparkconsole.fleet.marks import how_left
from sparkconsole.fleet.store import Event, Store

if TYPE_CHECKING:
    from sparkconsole.tui.work import Work

OTHERS_S, FIRST_S = 10.0, 0.5
"""So often; and before the first node is up."""


async def keep_looking(work: Work, store: Store) -> None:
    """Until it is cancelled. Of what is unattended an event tells, once."""
    clock, known = work.session.fleet.clock, set[str]()
    while True:
        up = [node for node in store.up() if node in work.session.fleet.names]
        with suppress(SparkError, OSError):  # what cannot be asked now is asked again
            await work.look_back(up)
        for run in (run for run in work.unattended if run.id not in known):
            known.add(run.id)
            text = f"{how_left(run)}: press a in Runs to see what stands"
            store.tell(Event(clock.now(), "warning", ", ".join(run.nodes), text))
        await clock.sleep(OTHERS_S * max(1.0, len(up) / 8) if up else FIRST_S)
