"""The console starts on every Python: its first screen is mounted by tasks that wait their turn."""

from __future__ import annotations

import asyncio

from textual.app import App


def tasks_wait_their_turn(app: App[object]) -> None:
    """The handler of Textual's `Load`: from here on a task begins when the loop comes to it, as on 3.11.

    From Python 3.12 on Textual has the loop run a new task at once. A widget of the first screen of a mode
    is then mounted before that screen is on its stack, and one that asks for it, as `Input` does, ends the
    program: "No screens on stack" (Textualize/textual#6444). tests/tui/test_starting.py says when it can go.
    """
    asyncio.get_running_loop().set_task_factory(None)
