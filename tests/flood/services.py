"""What listens on the nodes, Docker's engines, Ray and vLLM, in a process of its own; one of them floods.

`python -m tests.flood.services FOLDER [SERVICE=KIND …]`: engines on FOLDER/NAME.sock of every NAME,
Ray and vLLM where they are usual. A SERVICE is `docker`, `ray` or `vllm` with a part of a path:
`docker/images/json=endless`; without `apis=all` there is neither Ray nor vLLM.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import struct
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sparkconsole.model.launch.spec import LABEL_ADDRESS, LABEL_LAUNCH, LaunchSpec

RAY_PORT, VLLM_PORT = 8265, 8888
Pieces = AsyncIterator[bytes]
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(body: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def endless() -> Pieces:
    """A list of entries that never comes to its end."""
    yield CHUNKED + chunk(b"[0")
    part = chunk(b', {"Id": "sha256:1", "RepoTags": ["a:1"], "Names": ["/a"], "State": "running"}' * 800)
    while True:
        yield part


async def headers() -> Pieces:
    """Names and values before any answer."""
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-More: %s\r\n" % (b"a" * 4000)


async def long_header() -> Pieces:
    """One name without a value."""
    yield b"HTTP/1.1 200 OK\r\nX-"
    while True:
        yield b"a" * 65536


async def bomb() -> Pieces:
    """Ten gigabytes in ten megabytes."""
    packed = gzip.compress(b"vllm:num_requests_running 1\n" * 400_000, 9)
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield chunk(packed)


async def deep() -> Pieces:
    """Brackets that open, as many as an answer may have."""
    yield answer(b"[" * (3 << 20))


async def many() -> Pieces:
    """As many entries as an answer may have: all of them can be read."""
    rows = (f'{{"Id":"s{i}","RepoTags":["a:{i}"],"Names":["/a{i}"],"State":"x"}}' for i in range(40_000))
    yield answer(f"[{','.join(rows)}]".encode())


async def members() -> Pieces:
    """Ray with more members than there are machines in the world's houses."""
    rows = ",".join(f'{{"node_id":"{i}","node_ip":"10.{i}","state":"ALIVE"}}' for i in range(50_000))
    yield answer(b'{"data":{"result":{"result":[%s]}}}' % rows.encode())


async def drip() -> Pieces:
    """A byte a second."""
    yield CHUNKED
    while True:
        yield chunk(b" ")
        await asyncio.sleep(1)


async def silent() -> Pieces:
    """The question is taken, and nothing comes."""
    await asyncio.sleep(3600)
    yield b""


async def giant() -> Pieces:
    """A frame of a log that promises four gigabytes."""
    yield CHUNKED + chunk(struct.pack(">BxxxL", 1, 0xFFFFFFFF))
    while True:
        yield chunk(b"x" * 65536)


async def lines() -> Pieces:
    """A log of a million lines a second."""
    line = b"2026-01-01T00:00:00.000000000Z (EngineCore pid=9) s:1:1 [0] NCCL INFO Channel 00 : 0 -> 1\n"
    part = chunk((struct.pack(">BxxxL", 1, len(line)) + line) * 600)
    yield CHUNKED
    while True:
        yield part


KINDS: dict[str, Callable[[], Pieces]] = {
    one.__name__: one
    for one in (endless, headers, long_header, bomb, deep, many, members, drip, silent, giant, lines)
}


def usual(path: str) -> bytes:
    """What an engine says that has the cluster's container and no image, an empty Ray, and a server."""
    labels = {LABEL_LAUNCH: LaunchSpec().recorded(), LABEL_ADDRESS: "127.0.0.1"}
    shown = {
        "Id": "c1", "Name": "/vllm_node", "Image": "sha256:1",
        "Config": {"Image": "vllm-node", "Labels": labels},
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z", "Pid": 1},
    }  # fmt: skip
    listed = [{**shown, "Names": ["/vllm_node"], "State": "running", "Status": "Up 2 hours"}]
    known: dict[str, object] = {
        "/version": {"ApiVersion": "1.41", "Version": "28"},
        "/containers/json": listed,
        "/images/json": [],
        "/containers/vllm_node/json": shown,
        "/containers/c1/json": shown,
        "/api/v0/nodes": {"data": {"result": {"result": []}}},
        "/v1/models": {"data": [{"id": "tiny"}]},
        "/health": {},
    }
    if path.endswith("/metrics"):
        return answer(b"vllm:num_requests_running 0\nvllm:generation_tokens_total 5\n")
    found = next((value for end, value in known.items() if path.endswith(end)), None)
    if found is None:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
    return answer(json.dumps(found).encode())


def floods_there(part: str, service: str, path: str) -> bool:
    """`docker/images/json` is any version's."""
    of, _, rest = part.partition("/")
    return of == service and rest in path


async def serve(
    floods: dict[str, str], service: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection: an answer a question, until a flood ends it."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split()[1].decode().partition("?")[0]
            kind = next((k for part, k in floods.items() if floods_there(part, service, path)), "")
            if not kind:
                writer.write(usual(path))
                await writer.drain()
                continue
            async for piece in KINDS[kind]():
                writer.write(piece)
                await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def main(folder: Path, names: list[str], floods: dict[str, str]) -> None:
    """Until it is ended. The first of the names is the node that floods."""

    def listener(service: str, of: dict[str, str]) -> Callable[..., object]:
        return lambda reader, writer: serve(of, service, reader, writer)

    for name in names:
        own = floods if name == names[0] else {}
        await asyncio.start_unix_server(listener("docker", own), folder / f"{name}.sock")
    for service, port in (("ray", RAY_PORT), ("vllm", VLLM_PORT)) if "apis" in floods else ():
        await asyncio.start_server(listener(service, floods), "127.0.0.1", port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.sleep(600)


if __name__ == "__main__":
    folder, names, *given = sys.argv[1:]
    asyncio.run(main(Path(folder), names.split(","), dict(word.split("=") for word in given)))
