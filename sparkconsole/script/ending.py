"""A command that a signal ends: Ctrl-C, SIGTERM, or SIGHUP of a terminal that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

from sparkconsole.errors import Cancelled
from sparkconsole.fleet.fleet import Fleet

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 3
"""Signals after which the next one ends the process at once. The first cancels, and what runs on the nodes is
ended and looked for; another cancels that too, and what was not seen to end is named."""


async def until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of `work`, or of Cancelled where one of SIGNALS cancelled it.

    Its record is closed, and what it leaves running is said. By Python's own way the second Ctrl-C raises in
    the middle of any line: also in the one that would say so. Whoever started it with one ignored (nohup)
    keeps that.
    """
    loop, task, heard = asyncio.get_running_loop(), asyncio.ensure_future(work), 0

    def cancel() -> None:
        nonlocal heard
        heard += 1
        if heard == PATIENCE:
            leave()
        task.cancel()

    def leave() -> None:
        with contextlib.suppress(ValueError, RuntimeError):
            for number in taken:
                loop.remove_signal_handler(number)

    taken = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in taken:
        loop.add_signal_handler(number, cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if heard:
            return Cancelled.exit_code
        raise
    finally:
        leave()


async def looked(look: Coroutine[Any, Any, int], fleet: Fleet) -> int:
    """The exit code of a verb that only looks. Cancelled, it waits for no node that does not answer: nothing
    of it goes on there, and its connections are cut soon."""
    task = asyncio.ensure_future(look)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            fleet.cut_soon()
            task.cancel()
        return await task
