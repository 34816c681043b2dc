"""`sparkconsole web` in a real browser: whose page may type, what is loaded, and what is left behind.

The pages that attack know the secret path, which a real one would have to guess first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.field import chromium
from tests.field.places import REQUIRED
from tests.testbed.waiting import until

pytestmark = [pytest.mark.field, pytest.mark.xdist_group("browser")]
SHOWS = "document.body.classList.contains('-first-byte')"
ENDED = "document.body.classList.contains('-closed')"
TRIES = """new Promise(resolve => {{
  const socket = new WebSocket({socket});
  socket.onopen = () => resolve("opened");
  socket.onerror = () => resolve("refused");
}})"""


@pytest.fixture(scope="module")
def program() -> str:
    found = chromium.found()
    if found is None:
        assert "chromium" not in REQUIRED, "SPARKCONSOLE_REQUIRE_FIELD wants chromium"
        pytest.skip("no Chromium here")
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    words = (sys.executable, "-m", "sparkconsole", "--demo", "web", "--port", str(_free_port()))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), server
        finally:
            server.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def socket_of(address: str) -> str:
    return address.replace("http:", "ws:") + "ws?width=80&height=24"


def consoles(server: subprocess.Popen[str]) -> list[int]:
    """The processes that the server has started."""
    listed = subprocess.run(
        ("ps", "--ppid", str(server.pid), "-o", "pid="),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return [int(word) for word in listed.stdout.split()]


def still_running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@contextlib.asynccontextmanager
async def page_of_another(text: str) -> AsyncIterator[int]:
    """A page on another port of this host."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type="text/html")

    application = web.Application()
    application.router.add_get("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    port = _free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield port
    finally:
        await runner.cleanup()


async def test_a_proper_tab_works_again_and_beside_a_second_one(
    program: str, served: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    address, _ = served
    async with chromium.browser(program, tmp_path / "profile") as browser:
        first, second = await browser.tab(), await browser.tab()
        for tab in (first, second):
            await tab.go(address)
            await tab.until(SHOWS)
            assert await tab.evaluate("document.title") == "sparkconsole"
            assert [
                a for a in tab.asked_for() if not a.startswith((address, socket_of(address)[:-21], "data:"))
            ] == []
            assert tab.complaints() == []
        await first.go()
        await first.until(SHOWS)
        assert await first.evaluate("document.cookie") == ""
        await second.do("Page.bringToFront")
        await second.type("q")
        await second.until(ENDED)
        assert not await first.evaluate(ENDED)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_page_on_another_port_types_nothing(
    host: str, program: str, served: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    address, server = served
    async with (
        page_of_another(f"<iframe src='{address}'></iframe>") as port,
        chromium.browser(program, tmp_path / "profile") as browser,
    ):
        tab = await browser.tab()
        await tab.go(f"http://{host}:{port}/")
        await tab.evaluate(f"document.cookie = 'sparkconsole={address.split('/')[-2]}; path=/'")
        assert await tab.evaluate(TRIES.format(socket=json.dumps(socket_of(address)))) == "refused"
        read = f"fetch({json.dumps(address)}).then(answer => answer.text()).catch(() => 'refused')"
        assert await tab.evaluate(read) == "refused"
        null_origin = f"""new Promise(resolve => {{
          window.onmessage = event => resolve(event.data);
          const frame = document.createElement('iframe');
          frame.sandbox = 'allow-scripts';
          frame.srcdoc = {json.dumps(_posting(address))};
          document.body.append(frame);
        }})"""
        assert await tab.evaluate(null_origin) == "refused"
        assert consoles(server) == []


def _posting(address: str) -> str:
    """A page of no origin that tries, and tells the page around it how it went."""
    tries = TRIES.format(socket=json.dumps(socket_of(address)))
    return f"<script>({tries}).then(outcome => parent.postMessage(outcome, '*'))</script>"


async def test_the_server_leaves_with_its_consoles_however_it_ends(
    program: str, served: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    address, server = served
    async with chromium.browser(program, tmp_path / "profile") as browser:
        for _ in range(2):
            tab = await browser.tab()
            await tab.go(address)
            await tab.until(SHOWS)
        started = consoles(server)
        assert len(started) == 2
        server.send_signal(signal.SIGINT)
        await asyncio.to_thread(server.wait, 20)
    assert still_running(started) == []


async def test_a_server_that_is_killed_leaves_no_console(
    program: str, served: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    address, server = served
    async with chromium.browser(program, tmp_path / "profile") as browser:
        tab = await browser.tab()
        await tab.go(address)
        await tab.until(SHOWS)
        started = consoles(server)
        server.kill()
        await tab.until(ENDED)
    until(lambda: still_running(started) == [], "its console ends")
