"""A browser without a window, told what to do over its DevTools protocol (chromedevtools.github.io)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.testbed.waiting import until

NAMES = ("chromium", "chromium-browser", "google-chrome")


def found() -> str | None:
    """The browser of this machine."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page: its events as they came, and an answer to each command."""

    def __init__(self, stream: aiohttp.ClientWebSocketResponse) -> None:
        self._stream = stream
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self._stream:
            given = json.loads(message.data)
            if "id" in given:
                self._answers.pop(given["id"]).set_result(given)
            else:
                self.events.append(given)
                if given["method"] == "Page.loadEventFired":
                    self._loaded.set()

    async def do(self, method: str, **parameters: object) -> dict[str, Any]:
        """What the browser answers to a command."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._stream.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(60):
            answer = await self._answers.get(number, asyncio.Future())
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page; a promise's when it has come."""
        answer = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, condition: str) -> None:
        """Waits until an expression is true in the page."""
        ticks = (
            f"const ticks = setInterval(() => {{ if ({condition}) {{ clearInterval(ticks); come(); }} }}, 50)"
        )
        await self.evaluate(f"new Promise(come => {{ {ticks} }})")

    async def go(self, address: str = "") -> None:
        """Opens an address, or the same page again, and waits until all of it is loaded."""
        for domain in ("Page", "Network", "Log", "Runtime"):
            await self.do(f"{domain}.enable")
        self._loaded.clear()
        await (self.do("Page.navigate", url=address) if address else self.do("Page.reload"))
        async with asyncio.timeout(60):
            await self._loaded.wait()

    async def type(self, text: str) -> None:
        """As from a keyboard."""
        for character in text:
            for kind in ("keyDown", "keyUp"):
                await self.do("Input.dispatchKeyEvent", type=kind, text=character, key=character)

    def asked_for(self) -> set[str]:
        """Every address that the page asked for, sockets too."""
        sent = {
            e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"
        }
        return sent | {e["params"]["url"] for e in self.events if e["method"] == "Network.webSocketCreated"}

    def complaints(self) -> list[str]:
        """What the browser calls an error: a policy broken, a script failed, a part not loaded."""
        entries = [e["params"]["entry"] for e in self.events if e["method"] == "Log.entryAdded"]
        return [str(entry["text"]) for entry in entries if entry["level"] == "error"]


class Browser:
    """A running browser; every tab is new, all have one store of cookies."""

    def __init__(self, port: str, session: aiohttp.ClientSession) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._session = session
        self._tabs: list[Tab] = []

    async def tab(self) -> Tab:
        """An empty page."""
        async with self._session.put(f"{self._base}/json/new?about:blank") as answer:
            stream = (await answer.json(content_type=None))["webSocketDebuggerUrl"]
        tab = Tab(await self._session.ws_connect(stream, max_msg_size=0))
        self._tabs.append(tab)
        return tab

    async def close(self) -> None:
        """Tabs and all."""
        for tab in self._tabs:
            tab.reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tab.reading


@contextlib.asynccontextmanager
async def browser(program: str, folder: Path) -> AsyncIterator[Browser]:
    """A browser with a fresh profile, ended afterwards with all its processes."""
    # Within a container or as root its own sandbox cannot be; it opens only what these tests serve.
    words = (
        program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        port = folder / "DevToolsActivePort"
        await asyncio.to_thread(
            until, lambda: port.exists() and "\n" in port.read_text(), "the browser listens"
        )
        async with aiohttp.ClientSession() as session:
            started = Browser(port.read_text().split()[0], session)
            try:
                yield started
            finally:
                await started.close()
    finally:
        process.terminate()
        await process.wait()
