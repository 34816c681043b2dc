"""The console in a browser: only on this machine, and only for who has the token."""

from __future__ import annotations

import contextlib
import gc
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from sparkconsole import cli
from sparkconsole.tui.web import COOKIE, TokenServer, command
from tests.testbed.waiting import until

# textual-serve leaves the pipes of the program it started to the collector: here, and not in some later test.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    from aiohttp import web

    server = TokenServer(command(("--demo",)), free_port(), "s3cret")
    runner = web.AppRunner(await server.application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", server.port).start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
            yield f"http://127.0.0.1:{server.port}", browser
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/ws", "/ws?token=", "/static/", "/download/x"])
async def test_without_the_token_everything_is_refused(path: str) -> None:
    async with served() as (base, browser), browser.get(base + path) as answer:
        assert answer.status == 403


async def test_another_hosts_name_is_refused_even_with_the_token() -> None:
    async with served() as (base, browser):
        evil = {"Host": "evil.example"}
        async with browser.get(f"{base}/?token=s3cret", headers=evil) as answer:
            assert answer.status == 403


async def test_the_token_opens_the_page_and_the_cookie_what_it_loads() -> None:
    async with served() as (base, browser):
        async with browser.get(f"{base}/?token=s3cret") as page:
            assert page.status == 200
            text = await page.text()
            assert "httponly" in page.headers["Set-Cookie"].lower()
        static = re.search(r'src="([^"]+\.js)"', text)
        assert static
        async with browser.get(static[1]) as script:
            assert script.status == 200
        assert COOKIE in {c.key for c in browser.cookie_jar}


async def test_the_socket_shows_the_console() -> None:
    async with served() as (base, browser):
        async with browser.get(f"{base}/?token=s3cret"):
            pass
        async with browser.ws_connect(f"{base}/ws?width=80&height=24") as stream:
            seen = b""
            async for message in stream:
                if message.type is aiohttp.WSMsgType.TEXT:
                    json.loads(message.data)
                elif message.type is aiohttp.WSMsgType.BINARY:
                    seen += message.data
                if b"DEMO" in seen and b"Cluster" in seen:
                    break
            assert b"DEMO" in seen


def test_an_address_that_others_reach_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["web", "--host", "0.0.0.0"]) == 4
    assert "ssh -L" in capsys.readouterr().err


def test_the_command_prints_an_address_that_works(tmp_path: Path) -> None:
    port = free_port()
    words = (sys.executable, "-m", "sparkconsole", "--demo", "web", "--port", str(port))
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as program:
        assert program.stdout is not None
        try:
            address = program.stdout.readline().strip()
            # Before it answers nobody hears a signal that a background job's parents had switched off.
            until(lambda: answers(port), "it answers")
            program.send_signal(signal.SIGINT)
            program.wait(20)
        finally:
            program.kill()
    assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/\?token=[\w-]{{30,}}", address)


@pytest.mark.parametrize(("port", "code"), [("99999", 2), ("-1", 2), ("0", 2), ("taken", 4)])
def test_no_address_is_printed_that_cannot_be_opened(
    port: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1]) if port == "taken" else port
        assert cli.run(["web", "--port", number]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert "defect" not in told.err
    assert number in told.err
