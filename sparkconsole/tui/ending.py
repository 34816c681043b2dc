"""A console that is told to end gives the terminal back first: closed windows, lost logins, `kill`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

ENDS = (signal.SIGTERM, signal.SIGHUP)
"""Textual itself takes care of Ctrl-C alone: these two would leave mouse reports and the other screen on."""


def leave_on_signals(leave: Callable[[int], None]) -> None:
    """From now on each of ENDS calls `leave` with a shell's exit code for it. Main thread only."""
    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, leave, 128 + number)
