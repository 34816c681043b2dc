"""HTTP to what listens on a node, through a socket that its connection forwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from sparkconsole.errors import SparkError, TimedOut, TooMuch
from sparkconsole.remote.shell import Shell

MOST_ANSWER_BYTES = 4 << 20
"""What one answer may have, unpacked: more than any server of ours says; as JSON it is fifty times that."""


class BoundedResponse(aiohttp.ClientResponse):
    """An answer that is read to a limit; TooMuch beyond it, and the connection is closed."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """The head of the answer."""
        try:
            return await super().start(connection)
        except aiohttp.ClientResponseError as error:
            if not error.message.startswith(("Too many headers", "Got more than")):
                raise
            raise self._much("headers without end") from error

    async def read(self) -> bytes:
        """The whole body; `text` and `json` are made of it."""
        if self._body is None:
            body = bytearray()
            try:
                async for chunk in self.content.iter_any():
                    body += chunk
                    if len(body) > MOST_ANSWER_BYTES:
                        raise self._much(f"more than {MOST_ANSWER_BYTES >> 20} MiB")
            except BaseException:
                self.close()
                raise
            self._body = bytes(body)
        return self._body

    def _much(self, what: str) -> TooMuch:
        return TooMuch(f"{self.url.path} says too much: {what}", hint="look at what listens there")


@asynccontextmanager
async def http(shell: Shell, target: str, *, timeout: float = 5.0) -> AsyncIterator[aiohttp.ClientSession]:
    """A session on `host:port` of the node, or a socket; relative URLs work. Trouble becomes a SparkError."""
    endpoint = await shell.open_socket(target)
    connector = aiohttp.UnixConnector(endpoint.path) if endpoint.path else aiohttp.TCPConnector()
    base = "http://localhost" if endpoint.path else f"http://{endpoint.host}:{endpoint.port}"
    limits = aiohttp.ClientTimeout(total=timeout)
    try:
        async with aiohttp.ClientSession(
            base, connector=connector, timeout=limits, response_class=BoundedResponse
        ) as session:
            yield session
    except TooMuch as error:
        error.node = shell.node
        raise
    except TimeoutError as error:
        raise TimedOut(f"{target} did not answer within {timeout:.0f} s", node=shell.node) from error
    except aiohttp.ClientResponseError as error:
        raise SparkError(f"{target} answered {error.status} {error.message}", node=shell.node) from error
    except (aiohttp.ClientError, OSError) as error:
        # Unreachable when it is the connection that is gone: then nobody knows what answers there.
        await shell.open_socket(target)
        raise SparkError(f"nothing answers on {target}", hint="does it run?", node=shell.node) from error


async def get_json(shell: Shell, target: str, path: str) -> Any:
    """The JSON at `path`; SparkError when nobody answers, or not with JSON."""
    async with http(shell, target) as session, session.get(path) as response:
        response.raise_for_status()
        return await json_of(response, target + path, shell.node)


async def json_of(response: aiohttp.ClientResponse, asked: str, node: str) -> Any:
    """The JSON of an answer; SparkError names what was asked when it is none."""
    try:
        return await response.json(content_type=None)
    except (ValueError, RecursionError) as error:
        raise SparkError(f"{asked} answered something else than JSON", node=node) from error
