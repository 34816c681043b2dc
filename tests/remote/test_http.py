"""What listens on a node may answer without end: it is read to a limit, unpacked, and named."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from sparkconsole.errors import TooMuch
from sparkconsole.remote import http as bounded
from sparkconsole.remote.http import get_json, http
from sparkconsole.remote.local import LocalShell

ENDLESS = b'{"a": "' + b"x" * 65_536


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """A server of which one answer never ends, one is small until it is unpacked, and one is well."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(ENDLESS)

    async def packed(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(bytes(4 << 20)), headers={"Content-Encoding": "gzip"})

    async def well(_: web.Request) -> web.Response:
        return web.json_response({"a": 1})

    application = web.Application()
    application.add_routes([web.get("/endless", endless), web.get("/packed", packed), web.get("/well", well)])
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("path", ["/endless", "/packed"])
async def test_an_answer_without_end_is_cut_and_said(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_ANSWER_BYTES", 1 << 20)
    async with listening() as target:
        with pytest.raises(TooMuch, match=f"{path} says too much: more than 1 MiB") as caught:
            await get_json(LocalShell("spark1"), target, path)
        assert caught.value.node == "spark1"
        assert await get_json(LocalShell("spark1"), target, "/well") == {"a": 1}


@pytest.mark.parametrize("more", [b"X-More: " + b"a" * 4000 + b"\r\n", b"X-" + b"a" * 4000])
async def test_a_head_without_end_is_cut_and_said(more: bytes) -> None:
    async def pours(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                writer.write(more)
                await writer.drain()
        writer.close()

    async with asyncio.timeout(20), await asyncio.start_server(pours, "127.0.0.1", 0) as server:
        target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(TooMuch, match="/any says too much: headers without end") as caught:
            await get_json(LocalShell("spark1"), target, "/any")
        assert caught.value.node == "spark1"


async def test_an_answer_may_be_read_twice() -> None:
    async with (
        listening() as target,
        http(LocalShell("spark1"), target) as session,
        session.get("/well") as answer,
    ):
        assert await answer.text() == await answer.text() == '{"a": 1}'
