"""A shell on a node takes the whole terminal and gives it back."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from sparkconsole.errors import Refused, SparkError

if TYPE_CHECKING:
    from sparkconsole.tui.host import Host


async def open_shell(console: Host, words: Sequence[str]) -> None:
    """Suspends the console while the system's own ssh runs; errors are shown."""
    assert console.work is not None  # noqa: S101 - the caller waited for the session
    try:
        plan = await console.work.plan(words)
        await _run(console, plan.steps[0].argv)
    except SparkError as error:
        console.show_error(error)


async def _run(console: Host, argv: Sequence[str]) -> None:
    try:
        with console.suspend():
            await asyncio.to_thread(subprocess.run, argv, check=False)
    except SuspendNotSupported:
        raise Refused("a shell needs a terminal of its own, and this console has none (a browser)") from None
