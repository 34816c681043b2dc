"""What one browser tab sees: a console of its own, as a process that ends with the tab."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from sparkconsole.remote.local import end_process

GRACE_S = 1.0
"""A console that was asked to end has this long; then it gets the signals."""
SMALLEST, LARGEST = 10, 1000
"""Columns and lines of a tab's console, whatever the page asks for."""
DRIVER = "sparkconsole.tui.web.driver:BrowserDriver"


def bounded(length: int) -> int:
    """A side of the console, in cells; ValueError for what counts none."""
    if not isinstance(length, int):  # JSON has NaN in Python's dialect, which is within every bound
        raise ValueError(f"no length: {length!r}")
    return min(max(length, SMALLEST), LARGEST)


class Viewer(AppService):
    """textual-serve's process for a tab: started without a shell, and gone when the tab is."""

    def __init__(
        self, words: Sequence[str], socket: web.WebSocketResponse, downloads: DownloadManager
    ) -> None:
        super().__init__(
            "", write_bytes=socket.send_bytes, write_str=socket.send_str, close=self._close,
            download_manager=downloads,
        )  # fmt: skip
        self._argv = (sys.executable, "-m", "sparkconsole", *words)
        self._socket = socket
        self._ending: asyncio.Future[None] | None = None

    async def _close(self) -> None:
        await self._socket.close()

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        return super()._build_environment(width, height) | {"TEXTUAL_DRIVER": DRIVER}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        """In a session of its own: ctrl+c in the server's terminal is the server's."""
        process = await asyncio.create_subprocess_exec(
            *self._argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True,
            env=self._build_environment(width, height),
        )  # fmt: skip
        self._process, self._stdin = process, process.stdin
        return process

    async def set_terminal_size(self, width: int, height: int) -> None:
        """As the page asks, within what a console can be drawn in."""
        await super().set_terminal_size(bounded(width), bounded(height))

    async def start(self, width: int, height: int) -> None:
        """The same, at its beginning."""
        await super().start(bounded(width), bounded(height))

    async def run(self) -> None:
        """Until the console ends; a tab whose console could not start or died is told so."""
        with contextlib.suppress(ConnectionError):
            await super().run()
            await self._close()

    async def stop(self) -> None:
        """Asks the console to end; after a moment it is ended, with whatever it had started here.

        A second call waits for the first one's end, and a caller that is cancelled does not stop it.
        """
        self._ending = self._ending or asyncio.ensure_future(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(GRACE_S):
                await super().stop()
                await self._process.wait()
        await end_process(self._process)
