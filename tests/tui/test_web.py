"""The console in a browser: only on this machine, and only for who has the address."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from sparkconsole import cli
from sparkconsole.defect import defect
from sparkconsole.tui.web import server as server_module
from sparkconsole.tui.web.server import ConsoleServer
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
async def served(*, shared: bool = False) -> AsyncIterator[tuple[ConsoleServer, aiohttp.ClientSession]]:
    server = ConsoleServer(("--demo",), free_port(), "s3cret", shared=shared)
    runner = web.AppRunner(await server.application(), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", server.port).start()
    try:
        async with aiohttp.ClientSession() as browser:
            yield server, browser
    finally:
        await runner.cleanup()


def origin(server: ConsoleServer) -> dict[str, str]:
    return {"Origin": server.public_url}


async def drawn_by(stream: aiohttp.ClientWebSocketResponse, *wanted: bytes) -> bytes:
    """What the console draws, until it has drawn all that is wanted."""
    drawn = b""
    async with asyncio.timeout(60):
        async for message in stream:
            if message.type is aiohttp.WSMsgType.BINARY:
                drawn += message.data
            if all(word in drawn for word in wanted):
                return drawn
    raise AssertionError(f"the console ended after {drawn[-2000:]!r}")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?token=s3cret",
        "/ws",
        "/static/",
        "/s3cre/",
        "/s3crett/",
        "/S3CRET/ws",
        "/x/s3cret/ws",
        "//s3cret/",
    ],
)
async def test_without_the_secret_path_everything_is_refused(path: str) -> None:
    async with (
        served() as (server, browser),
        browser.get(
            server.public_url + path, headers=origin(server), cookies={"sparkconsole": "s3cret"}
        ) as answer,
    ):
        assert answer.status == 403


async def test_another_hosts_name_is_refused_even_with_the_secret() -> None:
    async with served() as (server, browser):
        for host in (
            "evil.example",
            f"evil.example:{server.port}",
            "127.0.0.1",
            f"127.0.0.1:{server.port + 1}",
        ):
            async with browser.get(server.address, headers={"Host": host}) as answer:
                assert answer.status == 403, host


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_page_embeds_nothing_of_it(site: str) -> None:
    async with (
        served() as (server, browser),
        browser.get(server.address + "static/js/textual.js", headers={"Sec-Fetch-Site": site}) as answer,
    ):
        assert answer.status == 403


async def test_the_page_loads_what_is_ours_and_says_so() -> None:
    async with served() as (server, browser), browser.get(server.address) as page:
        text = await page.text()
        assert page.status == 200
        assert "Set-Cookie" not in page.headers
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        loaded = re.findall(r'(?:src|href)="(http[^"]+)"|url\("([^"]+)"\)', text)
        assert len(loaded) == 4
        for address in ("".join(pair) for pair in loaded):
            assert address.startswith(server.address)
            async with browser.get(address) as part:
                assert part.status == 200


@pytest.mark.parametrize(
    "shown", [None, "null", "http://evil.example", "http://127.0.0.1:1", "https://127.0.0.1"]
)
async def test_a_page_of_another_origin_opens_no_socket(shown: str | None) -> None:
    """A browser lets any page try; even one that knew the path is refused."""
    async with served() as (server, browser):
        headers = {"Origin": shown} if shown else {}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await browser.ws_connect(server.address + "ws", headers=headers)
        assert refused.value.status == 403


@pytest.mark.programs
async def test_the_socket_shows_the_console() -> None:
    async with (
        served() as (server, browser),
        browser.ws_connect(server.address + "ws?width=80&height=24", headers=origin(server)) as stream,
    ):
        await drawn_by(stream, b"DEMO", b"Cluster")


@pytest.mark.programs
@pytest.mark.parametrize("size", ["width=-5&height=x", "width=99999999&height=99999999"])
async def test_a_page_cannot_ask_for_a_size_that_hurts(size: str) -> None:
    async with (
        served() as (server, browser),
        browser.ws_connect(f"{server.address}ws?{size}", headers=origin(server)) as stream,
    ):
        await drawn_by(stream, b"\x1b[?1049h")


@pytest.mark.programs
@pytest.mark.parametrize(
    "message",
    [
        "{}", "no json", '["resize", []]', "[" * 60_000, '["ping", ' + "[" * 60_000,
        '["resize", {"width": NaN, "height": 24}]', '["resize", {"width": 80, "height": Infinity}]',
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
async def test_what_is_no_message_ends_the_tab_and_nothing_else(message: str) -> None:
    async with served() as (server, browser):
        async with browser.ws_connect(server.address + "ws", headers=origin(server)) as stream:
            await stream.send_str(message)
            async for _ in stream:
                pass
            assert stream.close_code == 1003
        async with browser.ws_connect(server.address + "ws", headers=origin(server)) as stream:
            await drawn_by(stream, b"DEMO")


@pytest.mark.programs
@pytest.mark.parametrize("shared", [False, True])
async def test_a_second_tab_only_watches_unless_asked(shared: bool) -> None:
    """And the seat is free as soon as the first tab is closed, so a page can be loaded again."""
    async with served(shared=shared) as (server, browser):
        first = await browser.ws_connect(server.address + "ws?width=120&height=30", headers=origin(server))
        assert b"read-only" not in await drawn_by(first, b"DEMO", b"Cluster")
        second = await browser.ws_connect(server.address + "ws?width=120&height=30", headers=origin(server))
        drawn = await drawn_by(second, b"DEMO", b"Cluster")
        assert (b"read-only" in drawn) is not shared
        await first.close()
        again = await browser.ws_connect(server.address + "ws?width=120&height=30", headers=origin(server))
        assert b"read-only" not in await drawn_by(again, b"DEMO", b"Cluster") or shared
        for stream in (second, again):
            await stream.close()


def test_an_address_that_others_reach_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["web", "--host", "0.0.0.0"]) == 4
    assert "ssh -L" in capsys.readouterr().err


@pytest.mark.programs
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
    assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/[\w-]{{30,}}/", address)


NO_HTTP = {
    "another method": "FOO\r\n\r\n",
    "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "a long path": f"GET /{'a' * 300_000} HTTP/1.1\r\n\r\n",
    "two lengths": "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabc",
    "chunks that are none": "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "no address": "GET http://[::/ HTTP/1.1\r\n\r\n",
    "a proxy's": "CONNECT a:b HTTP/1.1\r\n\r\n",
    "of all": "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n",
    "no gzip": "POST / HTTP/1.1\r\nContent-Length: 9\r\nContent-Encoding: gzip\r\n\r\nababababa",
    "of the owner": "GET /SECRET/" + "a" * 9000 + " HTTP/1.1\r\n\r\n",
}


def sent_raw(port: int, request: bytes) -> bytes:
    """The first line of the answer."""
    with socket.create_connection(("127.0.0.1", port), 20) as stream:
        stream.sendall(request)
        return stream.makefile("rb").readline()


@pytest.mark.programs
def test_a_bad_request_of_anybody_is_answered_and_no_defect_and_leaves_no_file(tmp_path: Path) -> None:
    port = free_port()
    words = (sys.executable, "-m", "sparkconsole", "--demo", "web", "--port", str(port))
    surroundings = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, text=True, cwd=tmp_path, env=surroundings, **pipes) as program:  # type: ignore[call-overload]
        try:
            secret = program.stdout.readline().split("/")[3]
            until(lambda: answers(port), "it answers")
            for name, request in NO_HTTP.items():
                text = request.replace("SECRET", secret).replace("PORT", str(port))
                assert re.search(rb" 40[03] ", sent_raw(port, text.encode("latin-1"))), name
            program.send_signal(signal.SIGINT)
            assert program.communicate(timeout=20)[1].strip() == ""
        finally:
            program.kill()
    assert list(tmp_path.rglob("defects/*")) == []


def test_what_is_kept_of_a_defect_has_not_the_secret_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(web, "run_app", lambda application, **_: application.close())
    assert server_module.serve(("--demo",), free_port()) == 0
    secret = capsys.readouterr().out.split("/")[3]
    told = defect(f"KeyError: /{secret}/", f"Traceback\nGET /{secret}/ws\n")
    assert secret not in str(told)
    (kept,) = tmp_path.rglob("defects/*")
    assert "GET /***/ws" in kept.read_text()


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
