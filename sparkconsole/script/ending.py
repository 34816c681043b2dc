"""A command that a signal ends: SIGTERM, or SIGHUP of a terminal that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

from sparkconsole.errors import Cancelled

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


async def until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """The exit code of `work`; the first of SIGNALS cancels it as Ctrl-C does.

    Its record is closed, and what it leaves running is said. The second one ends the process at once.
    Whoever started it with one ignored (nohup) keeps that.
    """
    loop, signalled = asyncio.get_running_loop(), asyncio.Event()
    task = asyncio.ensure_future(work)

    def cancel() -> None:
        signalled.set()
        for number in taken:
            loop.remove_signal_handler(number)
        task.cancel()

    taken = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        loop.add_signal_handler(number, cancel)
    try:
        return await task
    except asyncio.CancelledError:
        if signalled.is_set():
            return Cancelled.exit_code
        raise
    finally:
        with contextlib.suppress(ValueError, RuntimeError):
            for number in taken:
                loop.remove_signal_handler(number)
