"""The console as a process: its tasks begin in turn, signals end it, a shell borrows its terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from textual.app import App, SuspendNotSupported

from sparkconsole.errors import Refused, SparkError

if TYPE_CHECKING:
    from sparkconsole.tui.host import Host

T = TypeVar("T")
LINGER_S = 1.0
ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Textual itself takes care of Ctrl-C alone: these two would leave mouse reports and the other screen on."""


def tasks_wait_their_turn(app: App[Any]) -> None:
    """The handler of Textual's `Load`: from here on a task begins when the loop comes to it, as on 3.11.

    From Python 3.12 on Textual has the loop run a new task at once. A widget of the first screen of a mode
    is then mounted before that screen is on its stack, and one that asks for it, as `Input` does, ends the
    program: "No screens on stack" (Textualize/textual#6444). tests/tui/test_starting.py says when it can go.
    """
    asyncio.get_running_loop().set_task_factory(None)


def leave_on_signals(leave: Callable[[int], None]) -> None:
    """From now on each of ENDS calls `leave` with a shell's exit code for it. Main thread only."""
    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, leave, 128 + number)


def tell_terminal(_: str, text: str) -> None:
    """Says a sentence to who waits at the terminal, which has been given back."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def run_face(console: App[T]) -> T | None:
    """What the console returns. Once its terminal is given back, no thread that still waits for a name server
    or a disk keeps the process for longer than LINGER_S."""

    async def shown() -> T | None:
        error: T | None = None
        try:
            error = await console.run_async()
            return error
        finally:
            overdue = threading.Timer(LINGER_S, _leave_now, (error, console.return_code or 0))
            overdue.daemon = True
            overdue.start()

    return asyncio.run(shown())


def _leave_now(error: object, code: int) -> None:
    """What ended the console is said, as it would have been."""
    if isinstance(error, SparkError):
        tell_terminal("", f"✖ {error}")
        code = error.exit_code
    os._exit(code)


async def open_shell(console: Host, words: Sequence[str]) -> None:
    """Suspends the console while the system's own ssh runs, and gives the terminal back; errors are shown."""
    assert console.work is not None  # noqa: S101 - the caller waited for the session
    try:
        plan = await console.work.plan(words)
        with console.suspend():
            await asyncio.to_thread(subprocess.run, plan.steps[0].argv, check=False)
    except SuspendNotSupported:
        text = "a shell needs a terminal of its own, and this console has none (a browser)"
        console.show_error(Refused(text))
    except SparkError as error:
        console.show_error(error)
