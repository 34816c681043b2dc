"""The server's own HTTP API, over the node's connection. `/health` stays 200 for minutes after a rank died:

only a token proves that it serves.
"""

from __future__ import annotations

import os
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from sparkconsole.errors import SparkError, Unreachable
from sparkconsole.model.foresight.effect import ServerUp
from sparkconsole.model.serve.engine import EngineLoad
from sparkconsole.parse.serve.vllm_metrics import parse_metrics
from sparkconsole.remote.foreseen_shell import then_on
from sparkconsole.remote.http import http, json_of
from sparkconsole.remote.shell import Shell


@dataclass(frozen=True, slots=True)
class Served:
    """One model that a server offers."""

    id: str
    """The name requests use."""
    root: str
    """Where it came from: a path or a name on the hub."""
    max_model_len: int | None = None


class Declined(SparkError):
    """The server is up and will not be tried: it wants a key, or has no such API. Waiting changes nothing."""


async def served(shell: Shell, port: int, *, timeout: float = 5.0) -> tuple[Served, ...]:
    """What the server on the node's `port` offers; SparkError when nobody answers."""
    then = then_on(shell).server(port)
    if then is None:
        raise SparkError(f"nothing answers on 127.0.0.1:{port} then", node=shell.node)
    if not isinstance(then, bool):
        return (Served(then.name, then.model),)
    data = await _json(shell, port, "/v1/models", timeout)
    rows = data.get("data", ()) if isinstance(data, dict) else ()
    return tuple(Served(r["id"], r.get("root") or r["id"], r.get("max_model_len")) for r in rows if "id" in r)


async def models(shell: Shell, port: int, *, timeout: float = 5.0) -> tuple[str, ...]:
    """The names under which models are served."""
    return tuple(s.id for s in await served(shell, port, timeout=timeout))


async def healthy(shell: Shell, port: int) -> bool:
    """`/health` is 200: the API process lives. That is all it means. Unreachable when the node is."""
    try:
        async with _http(shell, port) as session, session.get("/health") as answer:
            return answer.status == 200
    except Unreachable:
        raise  # a node that is not reached says nothing about its server
    except SparkError:
        return False


async def version(shell: Shell, port: int) -> str:
    """The vLLM that answers there; empty where it does not say."""
    data = await _json(shell, port, "/version")
    return str(data.get("version", "")) if isinstance(data, dict) else ""


async def metrics(shell: Shell, port: int) -> EngineLoad:
    """What the server has to do right now; SparkError when nobody answers."""
    async with _http(shell, port) as session, session.get("/metrics", headers=_key()) as answer:
        answer.raise_for_status()
        return parse_metrics(await answer.text())


async def pulse(shell: Shell, port: int) -> EngineLoad | None:
    """`/health` and `/metrics` over one connection: its load, as far as it says; None when it is not well.

    SparkError when nobody answers.
    """
    async with _http(shell, port) as session:
        async with session.get("/health") as answer:
            if answer.status != 200:
                return None
        async with session.get("/metrics", headers=_key()) as answer:
            return parse_metrics(await answer.text()) if answer.status == 200 else EngineLoad()


async def complete_one_token(shell: Shell, port: int, *, timeout: float = 10.0) -> str:
    """The name of the model that just completed one token, or embedded one where it only embeds.

    SparkError or TimedOut when none did, Declined when the server will do neither.
    """
    names = await models(shell, port, timeout=timeout)
    if isinstance(then_on(shell).server(port), ServerUp):
        return names[0]
    if not names:
        raise SparkError(f"the server on port {port} offers no model", node=shell.node)
    body = {"model": names[0], "prompt": "1", "max_tokens": 1, "temperature": 0}
    try:
        answer, proof = await _json(shell, port, "/v1/completions", timeout, body), "choices"
    except Declined:
        body = {"model": names[0], "input": "1"}
        answer, proof = await _json(shell, port, "/v1/embeddings", timeout, body), "data"
    if not (isinstance(answer, dict) and answer.get(proof)):
        raise SparkError(f"the server on port {port} answered without a completion", node=shell.node)
    return names[0]


async def _json(
    shell: Shell, port: int, path: str, timeout: float = 5.0, body: dict[str, Any] | None = None
) -> Any:
    method = "POST" if body else "GET"
    async with (
        _http(shell, port, timeout) as session,
        session.request(method, path, json=body, headers=_key()) as answer,
    ):
        if answer.status in _DECLINES:
            text = f"the server on port {port} answers {path} with {answer.status} {answer.reason}"
            raise Declined(text, hint=_DECLINES[answer.status], node=shell.node)
        answer.raise_for_status()
        return await json_of(answer, f"port {port}{path}", shell.node)


_NO_KEY = "put the key it was started with into VLLM_API_KEY here"
_NO_API = "this model does not complete text: ask it in its own way"
_DECLINES = {400: _NO_API, 401: _NO_KEY, 403: _NO_KEY, 404: _NO_API, 405: _NO_API, 501: _NO_API}
"""Answers of a server that is up, and what they come from."""


def _http(shell: Shell, port: int, timeout: float = 5.0) -> AbstractAsyncContextManager[ClientSession]:
    return http(shell, f"127.0.0.1:{port}", timeout=timeout)


def _key() -> dict[str, str]:
    key = os.environ.get("VLLM_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}
